"""Settings: names, defaults and validation. They come from a TOML file and JETON_<SECTION>__<KEY>."""
