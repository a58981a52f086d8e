"""Every page of the console, in the order in which they are tried."""

from __future__ import annotations

from app.console import static_files
from app.console.assessment import page as assessment
from app.console.figures import page as figures
from app.console.sign_in import page as sign_in

ROUTERS = (
    static_files.router,
    static_files.by_browsers,
    sign_in.router,
    assessment.router,
    figures.router,
)
