"""Facts about tvb-library's classes, which the planner cannot import.

Taken from tvb-library 2.10; a test compares every entry with the installed library.
"""

from __future__ import annotations

COUPLING_VARIABLES: dict[str, tuple[str, ...]] = {
    "CoombesByrne": ("r", "V", "g", "q"),
    "CoombesByrne2D": ("r", "V"),
    "DecoBalancedExcInh": ("S_e",),
    "DumontGutkin": ("r_e", "V_e", "r_i", "V_i"),
    "Epileptor": ("x1", "x2"),
    "Epileptor2D": ("x1",),
    "EpileptorCodim3": ("x",),
    "EpileptorCodim3SlowMod": ("x",),
    "EpileptorRestingState": ("x1", "x2", "x_rs"),
    "GastSchmidtKnosche_SD": ("r", "V", "A", "B"),
    "GastSchmidtKnosche_SF": ("r", "V", "A", "B"),
    "Generic2dOscillator": ("V",),
    "Hopfield": ("x",),
    "JansenRit": ("y1", "y2"),
    "KIonEx": ("x",),
    "Kuramoto": ("theta",),
    "LarterBreakspear": ("V",),
    "Linear": ("x",),
    "MontbrioPazoRoxin": ("r", "V"),
    "ReducedSetFitzHughNagumo": ("xi", "alpha"),
    "ReducedSetHindmarshRose": ("xi", "alpha"),
    "ReducedWongWang": ("S",),
    "ReducedWongWangExcInh": ("S_e",),
    "SupHopf": ("x", "y"),
    "WilsonCowan": ("E", "I"),
    "ZerlautAdaptationFirstOrder": ("E",),
    "ZerlautAdaptationSecondOrder": ("E",),
    "ZetterbergJansen": ("v6",),
}
"""State variables that regions send each other, by model, in the order of ``model.cvar``."""

LINEAR_COUPLINGS: dict[str, float] = {"Linear": 0.00390625, "Scaling": 0.00390625}
"""Couplings of the form a * sum(w x) + b, and the default of their slope ``a``."""

NOISE_VARIABLE = "ou_drift"
"""State variable of the Zerlaut models that is the Ornstein-Uhlenbeck noise."""
