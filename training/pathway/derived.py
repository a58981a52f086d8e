"""What follows from other values: conversions and scores by their definitions."""

from __future__ import annotations

import numpy as np

from training.pathway.patients import Floats

MMHG_PER_KPA = 7.50062


def add_derived(values: dict[str, Floats]) -> None:
    """Add what follows from values that are there, and is missing where one of these is."""

    def both(*names: str) -> bool:
        return all(name in values for name in names)

    if both("height", "bmi"):
        values["weight"] = values["bmi"] * (values["height"] / 100.0) ** 2
    if both("sbp", "dbp"):
        values["dbp"] = np.minimum(values["dbp"], values["sbp"] - 8.0)
        values["map"] = (values["sbp"] + 2.0 * values["dbp"]) / 3.0
    if both("gcs_eye", "gcs_motor", "gcs_verbal"):
        parts = [np.round(values[f"gcs_{name}"]) for name in ("eye", "motor", "verbal")]
        values["gcs_total"] = np.asarray(sum(parts))
    if both("hemoglobin"):
        values["hematocrit"] = values["hemoglobin"] * 0.003
    if both("ph", "pco2"):
        # Henderson-Hasselbalch with pK 6.1 and 0.0307 mmol/L/mmHg.
        carbonic = 0.0307 * MMHG_PER_KPA * values["pco2"]
        values["bicarbonate"] = carbonic * 10.0 ** (values["ph"] - 6.1)
    if both("po2", "fio2"):
        values["pao2_fio2_ratio"] = np.minimum(values["po2"] * MMHG_PER_KPA / values["fio2"], 880.0)
    if both("asa_class"):
        values["asa_band"] = _where_known(
            values["asa_class"], np.searchsorted([2.5, 3.5], np.round(values["asa_class"]))
        )
    if both("prehospital_sbp"):
        points = np.searchsorted([0.5, 49.5, 75.5, 89.5], values["prehospital_sbp"])
        values["prehospital_sbp_rts"] = _where_known(values["prehospital_sbp"], points)
    if both("prehospital_resp_rate"):
        rate = values["prehospital_resp_rate"]
        points = np.select([rate < 0.5, rate < 5.5, rate < 9.5, rate < 29.5], [0, 1, 2, 4], 3)
        values["prehospital_resp_rate_rts"] = _where_known(rate, points)


def estimated_filtration_rate(
    creatinine_umol_per_l: Floats, age_years: Floats, male: Floats
) -> Floats:
    """Estimated glomerular filtration rate in mL/min/1.73 m2.

    References
    ----------
    CKD-EPI 2021 creatinine equation, Inker et al., N Engl J Med 2021;385:1737-1749.
    """
    milligrams = creatinine_umol_per_l / 88.4
    kappa = np.where(male > 0, 0.9, 0.7)
    alpha = np.where(male > 0, -0.302, -0.241)
    ratio = milligrams / kappa
    rate = 142.0 * np.minimum(ratio, 1.0) ** alpha * np.maximum(ratio, 1.0) ** -1.2
    result: Floats = rate * 0.9938**age_years * np.where(male > 0, 1.0, 1.012)
    return np.minimum(result, 195.0)


def significant(value: Floats) -> Floats:
    """Round to three significant digits, vitals and laboratory values alike."""
    with np.errstate(divide="ignore", invalid="ignore"):
        power = 2 - np.floor(np.log10(np.abs(value)))
    power = np.where(np.isfinite(power), power, 0.0)
    scale = 10.0**power
    result: Floats = np.round(value * scale) / scale
    return result


def _where_known(known: Floats, value: np.ndarray) -> Floats:
    return np.where(np.isnan(known), np.nan, value.astype(np.float64))
