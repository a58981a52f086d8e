"""The registry as it is read while somebody else publishes."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, event

from models.registry import CHAMPION, Registry, load_mlflow
from tests.lib.gated import good, registered, version_files

NAME = "icu-review.death_180d"


def test_a_champion_keeps_its_digest_while_the_next_version_is_registered(tmp_path: Path):
    """MLflow asks for a model's newest version, then for that version's tags; between the two a newer comes."""
    registry = Registry.at(tmp_path)
    served = registered(registry, tmp_path / "one", version_files(good("death_180d")), "real")
    registry.set_alias(NAME, CHAMPION, served.version)
    client = load_mlflow().MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    newer: list[str] = []

    def register(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "model_version_tags" in statement and "row_number()" in statement and not newer:
            newer.append("")  # what follows asks questions of its own
            newer[0] = client.create_model_version(NAME, source=f"{tmp_path}/none").version

    event.listen(Engine, "before_cursor_execute", register)
    try:
        [found] = registry.aliased([NAME])
    finally:
        event.remove(Engine, "before_cursor_execute", register)

    assert [str(number) for number in newer] == ["2"]
    assert (found.version, found.digest) == ("1", served.digest)
    assert served.digest is not None
