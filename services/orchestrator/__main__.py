"""``python -P -m tvb_nest_cosim.orchestrator``: the command line, as ``cosim``."""

from tvb_nest_cosim.orchestrator.cli.main import main

if __name__ == "__main__":
    main()
