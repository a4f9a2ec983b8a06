"""Which task, which model and which part of the money belong to a target."""

from functools import cached_property

from backend.app.adaptation.glossary import Glossary, load_glossary
from backend.app.adaptation.personalization import PersonalizationTask
from backend.app.adaptation.task import Task
from backend.app.adaptation.translation import TranslationTask
from backend.app.errors import PersonalizationFailed, TranslationFailed, Unavailable
from backend.app.models.adaptation import AdaptationKind, Target, Translate
from backend.app.services.claude_budget import Feature
from backend.app.utils.config import Settings

FEATURES: dict[AdaptationKind, Feature] = {"translation": "translate", "personalization": "personalize"}
FAILURES: dict[AdaptationKind, type[Unavailable]] = {
    "translation": TranslationFailed,
    "personalization": PersonalizationFailed,
}


class AdaptationTasks:
    """One per process: what a task needs is read once."""

    def __init__(self, settings: Settings) -> None:
        self._models: dict[AdaptationKind, str] = {
            "translation": settings.claude_translation_model,
            "personalization": settings.claude_model,
        }
        self._made: dict[Target, Task] = {}

    def task(self, target: Target) -> Task:
        if target not in self._made:
            self._made[target] = self._make(target)
        return self._made[target]

    def model(self, target: Target) -> str:
        """The one of the settings, also when money is short: it is part of every key."""
        return self._models[target.kind]

    def _make(self, target: Target) -> Task:
        if isinstance(target, Translate):
            return TranslationTask(target.language, load_glossary(target.language))
        return PersonalizationTask(target.level, target.hardware, self._terms)

    @cached_property
    def _terms(self) -> Glossary:
        return load_glossary("ur")
