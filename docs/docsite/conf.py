# Appended by `make site` to the configuration that antsibull-docs makes.
project = title = html_short_title = "nexuscos.ops"
copyright = "2026, Nexus COS operations"  # noqa: A001
# Offline: names of other projects stay plain text.
intersphinx_mapping = {}
suppress_warnings = ["ref.ref", "ref.envvar"]
