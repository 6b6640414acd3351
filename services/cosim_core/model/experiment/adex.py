"""The AdEx region, declared once; TVB's mean field and NEST's network both derive from it.

The spiking network is the adaptive exponential integrate-and-fire network of Zerlaut et al. 2018
(J Comput Neurosci 44, 45-61) and di Volo et al. 2019 (Neural Comput 31, 653-680); the mean field
is ``ZerlautAdaptationFirstOrder`` or ``ZerlautAdaptationSecondOrder`` of tvb-library 2.10. Every
number that both sides need stands here and nowhere else.
"""

from __future__ import annotations

from pydantic import Field

from tvb_nest_cosim.cosim_core.model.experiment.base import (
    Count,
    Fraction,
    NonNegative,
    Part,
    Positive,
)

ZERLAUT_MODELS = ("ZerlautAdaptationFirstOrder", "ZerlautAdaptationSecondOrder")

DI_VOLO_P_E = (
    -0.04983106, 0.005063550882777035, -0.023470121807314552, 0.0022951513725067503,
    -0.0004105302652029825, 0.010547051343547399, -0.03659252821136933, 0.007437487505797858,
    0.001265064721846073, -0.04072161294490446,
)  # fmt: skip
DI_VOLO_P_I = (
    -0.05149122024209484, 0.004003689190271077, -0.008352013668528155, 0.0002414237992765705,
    -0.0005070645080016026, 0.0014345394104282397, -0.014686689498949967, 0.004502706285435741,
    0.0028472190352532454, -0.015357804594594548,
)  # fmt: skip


class AdexCell(Part):
    """An AdEx cell, NEST's ``aeif_cond_exp`` (Brette and Gerstner 2005)."""

    C_m_pF: Positive = 200.0
    """Membrane capacitance."""
    g_L_nS: Positive = 10.0
    """Leak conductance."""
    E_L_mV: float = -65.0
    """Leak reversal potential; also the initial membrane potential."""
    V_reset_mV: float = -65.0
    """Reset potential (NEST only; in TVB it is part of the fitted transfer function)."""
    V_th_mV: float = -50.0
    """Threshold of the exponential (NEST only; part of the fit in TVB)."""
    Delta_T_mV: NonNegative = 2.0
    """Slope of the exponential (NEST only; part of the fit in TVB)."""
    t_ref_ms: NonNegative = 5.0
    """Refractory time (NEST only; part of the fit in TVB)."""
    a_nS: float = 0.0
    """Subthreshold adaptation."""
    b_pA: float = 0.0
    """Spike-triggered adaptation."""
    tau_w_ms: Positive = 500.0
    """Time constant of adaptation."""


class InhibitoryCell(AdexCell):
    """An inhibitory AdEx cell; keys that are not given keep the defaults of this kind."""

    Delta_T_mV: NonNegative = 0.5
    """Slope of the exponential (NEST only; part of the fit in TVB)."""
    tau_w_ms: Positive = 1.0
    """Time constant of adaptation."""


class TransferFunction(Part):
    """Threshold polynomials of the mean field's transfer function (TVB only).

    They are fitted to single cells; a fit holds for the cell it was made for.
    """

    P_e: tuple[float, ...] = Field(default=DI_VOLO_P_E, min_length=10, max_length=10)
    """Ten coefficients for excitatory cells; default: di Volo et al. 2019."""
    P_i: tuple[float, ...] = Field(default=DI_VOLO_P_I, min_length=10, max_length=10)
    """Ten coefficients for inhibitory cells; default: di Volo et al. 2019."""
    T_ms: Positive = 20.0
    """Time scale of the mean field's description."""


class DriveNoise(Part):
    """Ornstein-Uhlenbeck noise on the external input of every region, spiking or not.

    TVB's regions get it as the model's ``ou_drift`` (tau dx/dt = -x + white noise of ``nsig`` on
    that variable); a spiking region gets an own realisation with the same equation in its drive.
    """

    tau_ms: Positive = 20.0
    """Correlation time (``tau_OU``)."""
    weight_hz: NonNegative = 0.0
    """Input rate per unit of the noise variable (``weight_noise``, there in kHz)."""
    nsig: NonNegative = 1.0
    """Dispersion of the white noise, as TVB defines it (increments sqrt(2 nsig dt) N(0, 1))."""


class AdexRegion(Part):
    """A region of excitatory and inhibitory AdEx cells with random connections."""

    neurons: Count = 10_000
    """Cells per region."""
    inhibitory_fraction: float = Field(default=0.2, gt=0, lt=1)
    """Share of inhibitory cells (TVB's ``g``)."""
    p_connect: Fraction = 0.05
    """Connection probability inside the region; in-degrees are round(p_connect * cells)."""
    excitatory: AdexCell = AdexCell()
    """Excitatory cells."""
    inhibitory: InhibitoryCell = InhibitoryCell()
    """Inhibitory cells."""
    Q_e_nS: Positive = 1.5
    """Quantal conductance of excitatory synapses, inside the region and from outside."""
    Q_i_nS: Positive = 5.0
    """Quantal conductance of inhibitory synapses."""
    tau_e_ms: Positive = 5.0
    """Decay of excitatory conductance."""
    tau_i_ms: Positive = 5.0
    """Decay of inhibitory conductance."""
    E_e_mV: float = 0.0
    """Reversal potential of excitatory synapses."""
    E_i_mV: float = -80.0
    """Reversal potential of inhibitory synapses."""
    K_ext: Count = 400
    """Excitatory afferents of a cell from outside its region."""
    external_hz: NonNegative = 0.0
    """Mean rate of every external afferent on top of what the connectome delivers."""
    noise: DriveNoise | None = None
    """Noise on the external input; none by default."""
    transfer_function: TransferFunction = TransferFunction()
    """What the mean field needs beyond the cells."""

    @property
    def active_noise(self) -> DriveNoise | None:
        """The declared noise unless its weight is zero."""
        return self.noise if self.noise and self.noise.weight_hz > 0 else None

    @property
    def inhibitory_neurons(self) -> int:
        """Inhibitory cells per region."""
        return round(self.neurons * self.inhibitory_fraction)

    @property
    def excitatory_neurons(self) -> int:
        """Excitatory cells per region."""
        return self.neurons - self.inhibitory_neurons


def zerlaut_parameters(region: AdexRegion) -> dict[str, float | list[float]]:
    """Derives the parameters of TVB's Zerlaut models, named and in the units of tvb-library.

    Rates become kHz; everything else is already in TVB's units (mV, nS, pF, pA, ms).
    """
    exc, inh = region.excitatory, region.inhibitory
    external_khz = region.external_hz / 1000.0
    noise = region.noise or DriveNoise(weight_hz=0.0)
    return {
        "g_L": exc.g_L_nS,
        "C_m": exc.C_m_pF,
        "E_L_e": exc.E_L_mV,
        "E_L_i": inh.E_L_mV,
        "b_e": exc.b_pA,
        "b_i": inh.b_pA,
        "a_e": exc.a_nS,
        "a_i": inh.a_nS,
        "tau_w_e": exc.tau_w_ms,
        "tau_w_i": inh.tau_w_ms,
        "E_e": region.E_e_mV,
        "E_i": region.E_i_mV,
        "Q_e": region.Q_e_nS,
        "Q_i": region.Q_i_nS,
        "tau_e": region.tau_e_ms,
        "tau_i": region.tau_i_ms,
        "N_tot": region.neurons,
        "p_connect_e": region.p_connect,
        "p_connect_i": region.p_connect,
        "g": region.inhibitory_fraction,
        "K_ext_e": region.K_ext,
        "K_ext_i": 0,
        "external_input_ex_ex": external_khz,
        "external_input_in_ex": external_khz,
        "external_input_ex_in": 0.0,
        "external_input_in_in": 0.0,
        "tau_OU": noise.tau_ms,
        "weight_noise": noise.weight_hz / 1000.0,
        "S_i": 1.0,
        "T": region.transfer_function.T_ms,
        "P_e": list(region.transfer_function.P_e),
        "P_i": list(region.transfer_function.P_i),
    }


def disagreements(region: AdexRegion) -> list[str]:
    """Lists what TVB's mean field cannot honour: it has one value where cells may differ."""
    exc, inh = region.excitatory, region.inhibitory
    return [
        f"excitatory.{name} is {getattr(exc, name):g} but inhibitory.{name} is "
        f"{getattr(inh, name):g}; the mean field has one {name} for both kinds of cells"
        for name in ("g_L_nS", "C_m_pF")
        if getattr(exc, name) != getattr(inh, name)
    ]


def outside_the_fit(region: AdexRegion) -> list[str]:
    """Lists cell parameters that the transfer function was not fitted for (a warning, no fault).

    The polynomials of di Volo et al. were fitted with V_th = -50 mV, V_reset = -65 mV,
    t_ref = 5 ms, Delta_T = 2 mV (excitatory) and 0.5 mV (inhibitory).
    """
    fitted = {"V_th_mV": -50.0, "V_reset_mV": -65.0, "t_ref_ms": 5.0}
    warnings = []
    for kind, cell, slope in (
        ("excitatory", region.excitatory, 2.0),
        ("inhibitory", region.inhibitory, 0.5),
    ):
        for name, value in {**fitted, "Delta_T_mV": slope}.items():
            got = getattr(cell, name)
            if got != value:
                warnings.append(
                    f"adex.{kind}.{name} = {got:g} acts in NEST only; the mean field's transfer "
                    f"function was fitted with {value:g}"
                )
    return warnings
