use clap::error::ErrorKind;

fn parse(line: &str) -> Result<clap::ArgMatches, ErrorKind> {
    crate::command().try_get_matches_from(line.split(' ')).map_err(|error| error.kind())
}

#[test]
fn the_definition_is_sound() {
    crate::command().debug_assert();
}

#[test]
fn good_lines_are_understood() {
    for line in [
        "weir pub -t a -m b",
        "weir pub -t a -m -5",
        "weir pub -h ::1 -p 1884 -t a -l -q 2 -r -i me -k 5 -u user -P secret -V 311",
        "weir pub -t a -n -D publish user-property k v -D publish content-type text/plain -D connect receive-maximum 5",
        "weir pub -t a -f file --repeat 10 --property will user-property a b --will-topic gone",
        "weir sub -t a -t $q/b/+/c -C 5 -W 500ms -v",
        "weir sub -t a -q 1 --ack reject --json -R -c -i me -x 60 -V mqttv5",
        "weir pub -t a -m b -u user -P secret --scram",
        "weir queue ls",
        "weir queue ls --json --url http://10.0.0.1:18083 --token x",
        "weir queue --data-dir d show a/+/b",
        "weir queue create --filter a/+/b",
        "weir queue create a/+/b --set max_inflight=5 --set paused=true",
        "weir queue create billing --unbound",
        "weir queue create billing -f orders/#",
        "weir queue set billing paused=true ack_timeout=1m",
        "weir queue rm a b",
        "weir queue purge a/+ --filter a/1",
        "weir queue purge jobs -k key --json",
        "weir queue peek jobs -o 5 -n 3 -s in_flight",
        "weir queue seek jobs earliest",
        "weir queue seek jobs 17",
        "weir queue seek jobs @2026-11-24T10:00:00Z",
        "weir queue pause jobs",
        "weir queue resume jobs",
        "weir queue tail jobs -n 0 -C 5 --json",
        "weir queue consumers jobs",
        "weir queue ledger jobs",
        "weir stream ls --json",
        "weir stream create logs -f logs/# -s retention=1d -s key_expression=level(2)",
        "weir stream create logs/+",
        "weir stream set logs max_messages=null",
        "weir stream purge logs --before 100 -f logs/a -k key",
        "weir stream peek logs -o 5 -n 3 --json",
        "weir stream tail logs -n 0 -C 5",
        "weir stream seek logs earliest --group workers",
        "weir stream seek logs @2026-11-24T10:00:00Z -r meter",
        "weir stream readers logs",
        "weir stream consumers logs",
        "weir stream forget logs -g workers",
        "weir stream pause logs",
        "weir stream ledger logs",
        "weir sub -t $stream/logs --stream-offset earliest --stream-group workers",
        "weir top",
        "weir top --once -d 500ms -n 5 --url http://10.0.0.1:18083 --token x",
        "weir users ls --json",
        "weir users add ada --role admin -r ops --password-stdin",
        "weir users passwd ada --password-file secret",
        "weir users rm ada bob",
    ] {
        assert!(parse(line).is_ok(), "{line}: {:?}", parse(line).err());
    }
}

#[test]
fn bad_lines_are_usage_errors() {
    for (line, kind) in [
        ("weir pub -m b", ErrorKind::MissingRequiredArgument),
        ("weir pub -t a", ErrorKind::MissingRequiredArgument),
        ("weir pub -t a -m b -l", ErrorKind::ArgumentConflict),
        ("weir pub -t a -m b -q 3", ErrorKind::ValueValidation),
        ("weir pub -t a -m b -V 4", ErrorKind::ValueValidation),
        ("weir pub -t a -m b -P secret", ErrorKind::MissingRequiredArgument),
        ("weir pub -t a -m b -D publish content-type", ErrorKind::TooFewValues),
        ("weir sub", ErrorKind::MissingRequiredArgument),
        ("weir sub -t a -C 0", ErrorKind::ValueValidation),
        ("weir sub -t a -W soon", ErrorKind::ValueValidation),
        ("weir sub -t a --ack maybe", ErrorKind::InvalidValue),
        ("weir sub -t a -c", ErrorKind::MissingRequiredArgument),
        ("weir queue create", ErrorKind::MissingRequiredArgument),
        ("weir queue create x --unbound --filter a", ErrorKind::ArgumentConflict),
        ("weir queue set a", ErrorKind::MissingRequiredArgument),
        ("weir queue set a paused", ErrorKind::ValueValidation),
        ("weir queue rm", ErrorKind::MissingRequiredArgument),
        ("weir queue purge", ErrorKind::MissingRequiredArgument),
        ("weir queue peek jobs -n 0", ErrorKind::ValueValidation),
        ("weir queue peek jobs -s gone", ErrorKind::InvalidValue),
        ("weir queue seek jobs", ErrorKind::MissingRequiredArgument),
        ("weir queue seek jobs end", ErrorKind::ValueValidation),
        ("weir queue tail jobs -C 0", ErrorKind::ValueValidation),
        ("weir stream create", ErrorKind::MissingRequiredArgument),
        ("weir stream seek logs earliest", ErrorKind::MissingRequiredArgument),
        ("weir stream seek logs earliest -r a -g b", ErrorKind::ArgumentConflict),
        ("weir stream seek logs end -r a", ErrorKind::ValueValidation),
        ("weir stream forget logs", ErrorKind::MissingRequiredArgument),
        ("weir sub -t $stream/logs --stream-offset soon", ErrorKind::ValueValidation),
        ("weir users rm", ErrorKind::MissingRequiredArgument),
        ("weir users passwd a --password-stdin --password-file b", ErrorKind::ArgumentConflict),
        ("weir sub -t a --scram", ErrorKind::MissingRequiredArgument),
        ("weir drink", ErrorKind::InvalidSubcommand),
    ] {
        assert_eq!(parse(line).err(), Some(kind), "{line}");
    }
}
