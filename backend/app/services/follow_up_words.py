"""Words of English, Urdu and Roman Urdu by what they do in a question of a conversation."""

_POINTING = """
    it its it's itself they them their theirs he him his she her such same latter former else aforementioned iska
    iski iske isko isse ise isay ismein isme uska uski uske usko usse usay usmein usme inka inki inke inko unka unki
    unke unko inhein unhein inhen unhen woh wohi wahi yehi yahi waisa waisi waise اس اسے اسکا اسکی اسکے اسکو اسی ان
    انہیں انھیں انکا انکی انکے انہی وہ وہی یہ یہی ایسا ایسی ایسے ویسا ویسے اُس اُن اِس اِن"""
POINTING = frozenset(_POINTING.split())
"""Words that point at something said before, wherever they stand."""

_JOINING = """
    and but so also then or because although however plus otherwise instead aur lekin magar phir tou yani warna اور
    لیکن مگر تو پھر یعنی ورنہ"""
JOINING = frozenset(_JOINING.split())
"""First words that join on to what was said."""

_FRAGMENT = """
    on in at for with without by from to of as than if like under over between during after before"""
FRAGMENT = frozenset(_FRAGMENT.split())
"""First words of a fragment: "on which port?", "for beginners?", "without the GPU?"."""

_LAST = """
    one ones that this these those too instead both neither either again there otherwise to tou تو"""
LAST = frozenset(_LAST.split())
"""Last words that leave something unsaid: "which ones?", "can I use both?", "agar kharab ho to?"."""

_EMPTY = """
    a an the is are was were be been being am do does did doing done can could will would shall should may might
    must have has had i me my we us our you your yours what whats what's which who whom whose when where why how
    hows not no yes yeah yep ok okay sure right hmm thanks thank nope please pls plz just only really exactly
    actually very much many more most less least some any all each every other another few lot bit again still yet
    now here there of to in on at for with by from as about into over than up out off and or but if so then too also
    this that these those one ones two three first second third fourth last next final previous both either neither
    above below explain tell give show list describe summarize summarise elaborate continue go say mean means define
    clarify rephrase simplify repeat compare help know understand want need think like let try make work works
    working happen happens used using use example examples detail details depth step steps advantage advantages
    disadvantage disadvantages benefit benefits drawback drawbacks limitation limitations downside downsides pros
    cons problem problems issue issues solution solutions challenge challenges difference differences similarity
    reason reasons purpose application applications type types kind kinds part parts component components point
    points formula equation definition summary output result results cause causes effect effects way ways thing
    things simple simpler simply short shorter brief briefly long longer easy easier better best worse worst fast
    faster slow slower cheap cheaper expensive big bigger small smaller large larger high higher low lower good bad
    important different word words sentence sentences line lines term terms code answer question option options
    alternative alternatives reply further figure table diagram image topic section chapter meaning proof ka ki ke
    ko se mein mai main par pe hai hain ho hota hoti hote tha thi kya kia kyun kyu kyon kiun kaise kaisay kese kab
    kahan kon kaun kaunsa kaunsi konsa konsi kitna kitni kitne kis kisi kisko kiska kiski jo ye yeh wo aur bhi na
    nahi nahin han haan ji jee acha achha theek thik shukriya batao bata batain bataen bataiye bataye batayein
    samjhao samjha samjhaen samjhain samjhaiye samjhayein dein den dijiye dijye karo kar karen karein karna karta
    karti karte kiya krna likho likhen dikhao dikhaen chahiye wala wali wale doosra dusra doosri dusri pehla pehli
    teesra tesra akhri aakhri aik ek samajh samjh aayi aai ayi aya aaya
    aa rahi raha rha rhi keep going misal misaal masla masail faida faide fayda faiday nuqsan nuksan farq fark
    wajah waja tareeqa tariqa qisam qismein mazeed tafseel tafsil asaan aasan asan alfaz alfaaz lafzon mukhtasar
    zyada ziada kam behtar bara bari baray chota choti zara thora thoda thori liye lie kaam aata aati hua hui gaya
    mujhe mujhay ap aap hum tum sab matlab agar کا کی کے کو سے میں پر ہے ہیں ہو ہوتا ہوتی ہوتے تھا تھی تھے کیا کیوں
    کیسے کب کہاں کون کونسا کونسی سا سی کتنا کتنی کتنے کس کسی جو اور بھی نہ نہیں ہاں جی اچھا ٹھیک شکریہ بتائیں بتاؤ
    بتا بتائیے سمجھائیں سمجھاؤ سمجھا سمجھائیے دیں دو دے دیجیے کریں کرو کر کرنا کرتا کرتی کرتے کیجیے لکھیں لکھو
    دکھائیں چاہیے چاہئے والا والی والے دوسرا دوسری دوسرے پہلا پہلی تیسرا تیسری آخری ایک مثال مثالیں مسئلہ مسائل
    فائدہ فائدے فوائد نقصان نقصانات فرق وجہ وجوہات طریقہ قسم قسمیں اقسام مزید تفصیل تفصیلات آسان الفاظ مختصر زیادہ
    کم بہتر بڑا بڑی بڑے چھوٹا ذرا تھوڑا لیے لئے سمجھ آئی
    آیا آ رہی رہا کام آتا آتی ہوا ہوئی گیا گئی مجھے آپ ہم تم سب مطلب کہ ہی تک اگر"""
EMPTY = frozenset(_EMPTY.split())
"""Grammar, asking, agreeing, and nouns that belong to another noun: none says what a question is about."""

_ASKING = """
    please pls plz kindly can could would you tell say explain answer reply write give describe translate
    translation show define summarize repeat again batao bata batain bataen bataiye batayein samjhao samjhaen
    samjhain samjhaiye samjha jawab likho likhen likhein do dein den karo karen kar tarjuma bolo kaho bolen zara
    براہ کرم پلیز مہربانی بتائیں بتاؤ سمجھائیں سمجھاؤ جواب لکھیں لکھو دیں دو کریں کرو ترجمہ کہیں ذرا سمجھا کر"""
ASKING = frozenset(_ASKING.split())
"""Words that ask for an answer: a language beside them is the one to answer in."""

_AROUND_A_LANGUAGE = """
    it that this the me same thing answer now ok okay yes and but i want need ka ki ke ko mujhe mujhay isko isay ise
    iska ye yeh wohi wahi ab aur bhi ap aap hai chahiye of your last previous above what about how instead language
    only no nahi nahin
    lekin magar han haan ji whole all اس اسے کا کی کے کو یہ یہی وہی مجھے اب اور بھی آپ ہے چاہیے لیکن ہاں جی میں"""
AROUND_A_LANGUAGE = ASKING | frozenset(_AROUND_A_LANGUAGE.split())
"""What else may stand around the name of a language that is all a reader asks for."""
