"""Who asks, and what they may: the answer of authentication, and the question of permission."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.identity.refusal import Refused

READ, ASSESS, OUTCOMES, INSPECT, CDS = "read", "assess", "outcomes", "inspect", "cds"
OPERATE = "operate"
SCOPES = (READ, ASSESS, OUTCOMES, INSPECT, CDS, OPERATE)
DEFAULT_TENANT = "default"


@dataclass(frozen=True, slots=True)
class Caller:
    """One authenticated caller, as the rest of the service knows it.

    Parameters
    ----------
    client : str
        The program that asks: `<client id>@<issuer>`, an issuer, `api-key:<id>`,
        `certificate:<name>`, or `open`. At most 200 printable characters.
    user : str, optional
        The person behind it, as the issuer names them. It can be a personal number, as can the
        client of an issuer that knows people only, so neither is ever shown by `repr`.
    tenant : str
        The organisation whose data, care units and branch points these are.
    scopes : frozenset of str
        What it may do; a subset of `SCOPES`.
    branch_points : frozenset of str, optional
        The branch points it may ask at; None means every declared one.

    Examples
    --------
    >>> Caller("open", None, "default", frozenset({"read"}), None)
    Caller(tenant='default', scopes=frozenset({'read'}), branch_points=None)
    """

    client: str = field(repr=False)
    user: str | None = field(repr=False)
    tenant: str
    scopes: frozenset[str]
    branch_points: frozenset[str] | None


OPEN_CALLER = Caller("open", None, DEFAULT_TENANT, frozenset(SCOPES), None)


def permit(caller: Caller, scope: str, branch_point: str | None = None) -> None:
    """Let a caller pass, or say which permission is missing.

    Parameters
    ----------
    scope : str
        One of `SCOPES`, as the contract gives it for the path.
    branch_point : str, optional
        A declared branch point. Find out first whether it is declared: the answer for one that is
        not is 404, for every caller.

    Raises
    ------
    Refused
        `scope` or `branch_point`, both 403.

    Examples
    --------
    >>> reader = Caller("api-key:1", None, "north", frozenset({"read"}), frozenset({"icu-review"}))
    >>> permit(reader, "read", "icu-review")
    >>> permit(reader, "assess")
    Traceback (most recent call last):
    app.identity.refusal.Refused: scope
    >>> permit(reader, "read", "ward-round")
    Traceback (most recent call last):
    app.identity.refusal.Refused: branch_point
    """
    if scope not in caller.scopes:
        raise Refused("scope", f"The scope `{scope}` is needed for this.")
    allowed = caller.branch_points
    if branch_point is not None and allowed is not None and branch_point not in allowed:
        raise Refused("branch_point")
