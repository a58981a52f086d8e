"""A delivery passes when MLflow signed it with the secret, lately, and once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.webhooks.constants import (
    WEBHOOK_DELIVERY_ID_HEADER,
    WEBHOOK_SIGNATURE_HEADER,
    WEBHOOK_TIMESTAMP_HEADER,
)
from mlflow.webhooks.delivery import _generate_hmac_signature

from app.errors import StartRefused
from app.identity import REASONS, Refused, SignedDeliveries, load_deliveries
from app.identity.signed_deliveries import MOST_REMEMBERED, WINDOW_S, signature_of
from tests.lib.properties import LAW

SECRET = "a secret of the tests, å included"  # noqa: S105 - it opens nothing
NOW = 1_795_000_000
BODY = '{"entity": "model_version_alias", "action": "created", "data": {"alias": "champion"}}'


def delivery(
    body: str = BODY, delivery_id: str = "d-1", at: int | str = NOW, secret: str = SECRET
) -> dict[str, str]:
    """Headers as MLflow's own code makes them."""
    return {
        WEBHOOK_DELIVERY_ID_HEADER.lower(): delivery_id,
        WEBHOOK_TIMESTAMP_HEADER.lower(): str(at),
        WEBHOOK_SIGNATURE_HEADER.lower(): _generate_hmac_signature(
            secret, delivery_id, str(at), body
        ),
    }


@pytest.fixture
def deliveries() -> SignedDeliveries:
    return SignedDeliveries(SECRET.encode, clock=lambda: float(NOW))


def refusal(deliveries: SignedDeliveries, headers: dict[str, str], body: str = BODY) -> str:
    with pytest.raises(Refused) as caught:
        deliveries.accept(headers, body.encode())
    assert caught.value.reason in REASONS
    assert caught.value.problem().status == 401
    return caught.value.reason


def test_what_mlflow_signed_passes_once_and_is_known_after(deliveries: SignedDeliveries):
    assert deliveries.accept(delivery(), BODY.encode()) is True
    assert deliveries.accept(delivery(), BODY.encode()) is False
    assert deliveries.accept(delivery(delivery_id="d-2"), BODY.encode()) is True


@LAW
@given(secret=st.text(min_size=1), delivery_id=st.uuids(), body=st.text())
def test_our_signature_is_mlflows(secret: str, delivery_id: object, body: str):
    ours = signature_of(secret.encode(), str(delivery_id), str(NOW), body.encode())
    assert ours == _generate_hmac_signature(secret, str(delivery_id), str(NOW), body)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (delivery(secret=SECRET[::-1]), "bad_signature"),
        (delivery(body=BODY + " "), "bad_signature"),
        ({**delivery(), WEBHOOK_DELIVERY_ID_HEADER.lower(): "d-2"}, "bad_signature"),
        ({**delivery(), WEBHOOK_TIMESTAMP_HEADER.lower(): str(NOW + 1)}, "bad_signature"),
        ({**delivery(), WEBHOOK_SIGNATURE_HEADER.lower(): ""}, "bad_signature"),
        ({**delivery(), WEBHOOK_SIGNATURE_HEADER.lower(): "v1,\udce5\u2028"}, "bad_signature"),
        ({**delivery(), WEBHOOK_SIGNATURE_HEADER.lower(): "v1," + "A" * 300}, "malformed"),
        (delivery(delivery_id="d.1"), "malformed"),
        (delivery(at="-1"), "malformed"),
        (delivery(at="1e9"), "malformed"),
        (delivery(at="٣"), "malformed"),
        (delivery(at=""), "malformed"),
        (delivery(at=NOW - WINDOW_S - 1), "expired"),
        (delivery(at=NOW + WINDOW_S + 1), "not_yet_valid"),
    ],
    ids=str,
)
def test_anything_else_is_refused(
    deliveries: SignedDeliveries, headers: dict[str, str], reason: str
):
    assert refusal(deliveries, headers) == reason


@pytest.mark.parametrize("at", [NOW - WINDOW_S, NOW + WINDOW_S])
def test_clocks_may_differ_by_the_window(deliveries: SignedDeliveries, at: int):
    assert deliveries.accept(delivery(at=at), BODY.encode())


@pytest.mark.parametrize("name", list(delivery()))
def test_each_header_is_needed(deliveries: SignedDeliveries, name: str):
    headers = delivery()
    del headers[name]
    assert refusal(deliveries, headers) == "missing"


def test_what_is_remembered_outlives_the_window_and_is_bounded():
    now = [float(NOW)]
    deliveries = SignedDeliveries(SECRET.encode, clock=lambda: now[0])
    # Signed by a clock that is ahead: valid for twice the window from its first arrival.
    ahead = delivery(at=NOW + WINDOW_S)
    assert deliveries.accept(ahead, BODY.encode())
    now[0] += 2 * WINDOW_S - 1
    assert deliveries.accept(ahead, BODY.encode()) is False
    for number in range(MOST_REMEMBERED + 5):
        headers = delivery(delivery_id=f"many-{number}", at=int(now[0]))
        assert deliveries.accept(headers, BODY.encode())
    assert len(deliveries._seen) <= MOST_REMEMBERED


def test_without_a_secret_there_is_no_receiver():
    assert load_deliveries(None) is None


def test_the_secret_is_a_line_of_a_file(tmp_path: Path):
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    found = load_deliveries(file)
    assert found is not None
    assert found._secret() == SECRET.encode()


@pytest.mark.parametrize("content", [None, "", "short", " " * 40])
def test_a_secret_that_keeps_nobody_out_stops_the_start(tmp_path: Path, content: str | None):
    if content is not None:
        (tmp_path / "secret").write_text(content)
    with pytest.raises(StartRefused, match="secret"):
        load_deliveries(tmp_path / "secret")
