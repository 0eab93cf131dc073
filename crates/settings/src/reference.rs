//! `docs/configuration.md`, written from the key table.
//! It must not know values that a user gave.

use std::fmt::Write as _;

use crate::environment::variable;
use crate::key::Key;
use crate::keys::{LISTENER, SECTIONS, Section};

const INTRODUCTION: &str = "\
# Configuration

<!-- Written from the key table in crates/settings; `make docs` writes it anew, a test holds it fresh. -->

`weir serve --config weir.toml` (or `WEIR_CONFIG=weir.toml`) reads a TOML file. Every key can also be set by an
environment variable (`mqtt.publisher_hold` is `WEIR_MQTT__PUBLISHER_HOLD`: capitals, `__` for each dot) and by a flag
(`--set mqtt.publisher_hold=30s`). A flag beats the environment, the environment beats the file, the file beats the
default. `weir check` reads everything, says what is wrong and starts nothing.

An unknown key, an unknown `WEIR_…__…` variable or a bad value is an error that shows the line. A value that a later
source overrides must be right too.

Durations are whole numbers with a unit: `50ms`, `10s`, `5m`, `1h`, `7d`, and `0`. Sizes: `512`, `64KiB`, `1MiB`,
`2GiB`. In the file both stand in quotes; numbers and `true`/`false` do not.

```toml
data_dir = \"weir-data\"

[listeners.mqtt]
bind = \"127.0.0.1:1883\"

[http]
bind = \"127.0.0.1:18083\"

[queues.auto_create]
max_queues = 10000

[queues.defaults]
max_inflight = 32
```
";

/// The text of `docs/configuration.md`.
#[must_use]
pub fn reference() -> String {
    let mut out = INTRODUCTION.to_owned();
    for section in SECTIONS {
        write_section(&mut out, section, |key| (key.name.to_owned(), variable(key.name)));
        if section.name.is_empty() {
            write_section(&mut out, &LISTENER, |key| {
                let full = format!("listeners.<name>.{}", key.name);
                (full, format!("WEIR_LISTENERS__<NAME>__{}", key.name.to_uppercase()))
            });
        }
    }
    out
}

fn write_section<T>(
    out: &mut String,
    section: &Section<T>,
    names: impl Fn(&Key<T>) -> (String, String),
) {
    let title =
        if section.name.is_empty() { "Top".to_owned() } else { format!("`[{}]`", section.name) };
    // Writing to a String cannot fail.
    let _ = write!(out, "\n## {title}\n\n{}\n\n", section.doc);
    out.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
    for key in section.keys {
        let (name, variable) = names(key);
        let kind = key.type_name();
        let _ = writeln!(
            out,
            "| `{name}`<br>`{variable}` | {kind} | `{}` | {} |",
            key.default, key.doc
        );
    }
}
