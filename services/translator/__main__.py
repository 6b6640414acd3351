"""``python -P -m tvb_nest_cosim.translator worker``: the process of the translator."""

from tvb_nest_cosim.cosim_core.participant.service import main_translator
from tvb_nest_cosim.translator.pipeline import Pipeline

if __name__ == "__main__":
    main_translator(Pipeline)
