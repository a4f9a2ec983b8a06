"""Which task, which model and which part of the money belong to a target."""

from backend.app.adaptation.glossary import load_glossary
from backend.app.adaptation.languages import DEFAULT_LANGUAGE, LANGUAGES
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
    """One per process: what a task needs is read once. Raises ConfigurationError for a bad glossary file."""

    def __init__(self, settings: Settings) -> None:
        self._models: dict[AdaptationKind, str] = {
            "translation": settings.claude_translation_model,
            "personalization": settings.claude_model,
        }
        own_terms = settings.translation_glossary_file
        self._glossaries = {language: load_glossary(language, own_terms) for language in LANGUAGES}
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
            return TranslationTask(target.language, self._glossaries[target.language])
        return PersonalizationTask(target.level, target.hardware, self._glossaries[DEFAULT_LANGUAGE])
