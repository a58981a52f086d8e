"""Every page of the console, in the order in which they are tried."""

from __future__ import annotations

from app.console import static_files
from app.console.assessment import page as assessment
from app.console.figures import page as figures
from app.console.home import page as home
from app.console.inspector import page as inspector
from app.console.integration import page as integration
from app.console.models import page as models
from app.console.pathway import page as pathway
from app.console.patient import page as patient
from app.console.sign_in import page as sign_in

ROUTERS = (
    static_files.router,
    static_files.by_browsers,
    home.router,
    sign_in.router,
    assessment.router,
    patient.router,
    pathway.router,
    models.reading,
    models.operating,
    figures.router,
    inspector.router,
    integration.router,
    integration.sending,
)
