// Pages in, as JSON lines {"name", "text", "math"}; for each a line {"name", "error", "shape"} out. Parses as Docusaurus
// 3.10 does with its defaults: what it does to a page before MDX sees it, then MDX with its plugins; "math": remark-math too.
// "shape" is the page's tree without its words: nodes in order, with everything of them that is no prose.
import { createInterface } from "node:readline";
import { compile } from "@mdx-js/mdx";
import comment from "@slorber/remark-comment";
import directive from "remark-directive";
import frontmatter from "remark-frontmatter";
import gfm from "remark-gfm";
import math from "remark-math";

const ADMONITIONS = "secondary|info|success|danger|note|tip|warning|important|caution";
const KEPT = ["depth", "ordered", "checked", "lang", "meta", "url", "title", "alt", "name", "align", "identifier", "referenceType"];
const VERBATIM = new Set(["code", "inlineCode", "math", "inlineMath", "mdxjsEsm", "mdxFlowExpression", "mdxTextExpression", "yaml", "comment"]);

function prepared(text) {
  return text
    .replace(/(^|\n) *(`{3,4}) *mdx-code-block\n([\s\S]*?)\n *\2(?=\n|$)/g, "$1$3")
    .replace(/(^|\n)#{1,6}(?!#).*/g, (heading) => heading.replace("{#", "\\{#").replace("\\\\{#", "\\{#"))
    .replace(
      new RegExp(`^((?:> ?)*(?:(?: +|\\t+))?:{3,}(?:${ADMONITIONS})) +(.*)$`, "gm"),
      (_, marker, title) => `${marker}[${title}]`,
    );
}

function shape(node) {
  if (node.type === "text") return [];
  const facts = [node.type, ...KEPT.filter((key) => node[key] != null).map((key) => `${key}=${JSON.stringify(node[key])}`)];
  if (VERBATIM.has(node.type)) facts.push(node.value);
  for (const { type, name, value } of Array.isArray(node.attributes) ? node.attributes : [])
    facts.push(`${type} ${name}=${typeof value === "object" ? value?.value : value}`);
  const inside = (node.children ?? []).flatMap(shape);
  return [facts.join(" "), ...inside, ...(inside.length ? ["/" + node.type] : [])];
}

async function compiled({ name, text, math: withMath }) {
  let tree;
  const keep = () => (root) => void (tree = shape(root));
  const plugins = [frontmatter, directive, gfm, comment, ...(withMath ? [math] : []), keep];
  try {
    await compile(prepared(text), { format: "mdx", remarkPlugins: plugins });
    return { name, error: null, shape: tree };
  } catch (error) {
    return { name, error: `${error.line ?? "?"}: ${error.reason ?? error.message}`, shape: null };
  }
}

for await (const line of createInterface({ input: process.stdin }))
  console.log(JSON.stringify(await compiled(JSON.parse(line))));
