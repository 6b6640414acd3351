"""``python -m translator worker``: the process of the translator."""

from cosim_core.service import main_translator
from translator.pipeline import Pipeline

if __name__ == "__main__":
    main_translator(Pipeline)
