"""The service between the simulators: spikes to rates for TVB, rates to drive for NEST."""
