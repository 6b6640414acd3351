"""The mean-field side: The Virtual Brain, advancing in windows with spiking regions as proxies."""
