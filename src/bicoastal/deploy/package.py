"""What is to be deployed, complete: the graph, the templates' texts, and the archives that instances fetch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bicoastal.cfn.manifest import FromOutput, Manifest, StackEntry

FOUNDATION = "foundation"
"""The stack that holds a region's artifact bucket: its own template must do without it."""
BUCKET_OUTPUT = "ArtifactBucket"
DATABASE_CA_KEY = "ca/rds.pem"


@dataclass(frozen=True)
class Artifact:
    """An object of the artifact bucket, the same in both regions."""

    key: str
    content: bytes = field(repr=False)
    version: str = ""
    """What names it in a parameter; empty for one that no parameter names."""


@dataclass(frozen=True)
class Package:
    """A deployment as data."""

    manifest: Manifest
    templates: Mapping[str, str]
    """Text of each template by its file in the manifest."""
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)
    """By what a chooser calls them (`kit`, `application`), and others that are only fetched."""
    domain: str = ""
    """The application's public name; empty where only manifest and templates are known."""

    def template(self, entry: StackEntry) -> str:
        """The template of a stack."""
        return self.templates[entry.template]

    @property
    def name(self) -> str:
        """Begins the stacks' names: `orders-production`."""
        return f"{self.manifest.application}-{self.manifest.environment}"

    @property
    def home(self) -> str:
        """The home region."""
        return next(region for region, role in self.manifest.regions.items() if role == "home")

    def entries(self, kind: str) -> tuple[StackEntry, ...]:
        """The stacks of a kind, in each of its regions."""
        return tuple(entry for entry in self.manifest.stacks if kind_of(entry) == kind)


def kind_of(entry: StackEntry) -> str:
    """What kind of stack it is: `network`."""
    return entry.id.partition("/")[0]


def bucket_wire(region: str) -> FromOutput:
    """Where the name of a region's artifact bucket is found."""
    return FromOutput(f"{FOUNDATION}/{region}", BUCKET_OUTPUT)
