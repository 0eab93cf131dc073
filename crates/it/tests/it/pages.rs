//! The documentation keeps its word: what the guide, the patterns and the README tell a reader to type is typed, in the
//! order of the page, and prints what the page says.
//!
//! In a block of `sh`, lines that begin with `#=>` are what the command above them prints: all of it, `…` for what
//! differs, spaces in a row as good as one. A command without such lines may print anything, and has to succeed. One that only
//! looks (`weir queue show`, `weir … ls`, `grep`) is run again until it shows what is wanted, as a reader would look again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use it::{DEADLINE, Options, Shell, Weir};

/// One command with what it has to print; none is anything.
#[derive(Default, Debug, PartialEq, Eq)]
struct Step {
    line: usize,
    command: String,
    printed: Option<Vec<String>>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The commands of a page.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut in_block, mut command) = (false, String::new());
    for (index, line) in page.lines().enumerate() {
        if line.starts_with("```") {
            assert!(command.is_empty(), "line {}: a command is not whole", index + 1);
            in_block = line == "```sh";
            continue;
        }
        if !in_block {
            continue;
        }
        if let Some(printed) = line.strip_prefix("#=>") {
            let step = steps.last_mut().expect("a command stands above what it prints");
            step.printed.get_or_insert_default().push(printed.trim().to_owned());
            continue;
        }
        if command.is_empty() && (line.trim().is_empty() || line.starts_with('#')) {
            continue;
        }
        command.push_str(line);
        command.push('\n');
        if !line.ends_with('\\') && is_whole(&command) {
            steps.push(Step {
                line: index + 1,
                command: std::mem::take(&mut command),
                printed: None,
            });
        }
    }
    steps
}

/// Whether a shell would not wait for more.
fn is_whole(command: &str) -> bool {
    let status = Command::new("bash").args(["-n", "-c", command]).output().expect("bash runs");
    status.status.success()
}

/// Whether it may be run again.
fn only_looks(command: &str) -> bool {
    let looks = [
        "weir queue show",
        "weir queue ls",
        "weir stream ls",
        "weir stream readers",
        "weir delayed ls",
        "weir alarms",
        "cat ",
        "grep ",
    ];
    looks.iter().any(|start| command.starts_with(start))
}

/// Whether a line is as the page says.
fn fits(line: &str, wanted: &str) -> bool {
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (line, wanted) = (plain(line), plain(wanted));
    let mut parts = wanted.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = wanted.contains('…').then(|| parts.next_back().unwrap_or_default()) else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn is_as_wanted(step: &Step, code: i32, output: &str) -> bool {
    let Some(printed) = &step.printed else { return code == 0 };
    let lines: Vec<&str> = output.lines().collect();
    lines.len() == printed.len()
        && lines.iter().zip(printed).all(|(line, wanted)| fits(line, wanted))
}

/// Types all of a page.
fn check(page: &str) {
    let text = std::fs::read_to_string(root().join(page)).expect("the page is there");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let options = Options::new().data_dir(directory.path().join("weir-data"));
    let mut weir = Weir::start(options);
    let mut shell = Shell::start(directory.path());
    shell.point_at(&weir);
    let steps = steps(&text);
    assert!(!steps.is_empty(), "{page} has nothing to type");
    for step in steps {
        let start = Instant::now();
        loop {
            let Some((code, output)) = shell.run(&step.command) else {
                panic!("{page}:{}: does not end: {}", step.line, step.command);
            };
            if is_as_wanted(&step, code, &output) {
                break;
            }
            let again = only_looks(&step.command) && start.elapsed() < DEADLINE;
            assert!(
                again,
                "{page}:{}: {}wanted {:?}, exit code {code}, it printed:\n{output}",
                step.line, step.command, step.printed
            );
        }
        if step.command.contains("pidof weir") {
            weir = weir.kill().restart();
            shell.point_at(&weir);
        }
    }
}

#[test]
fn the_tour() {
    check("README.md");
}

#[test]
fn the_guide_to_queues() {
    check("docs/queues.md");
}

#[test]
fn the_page_about_streams() {
    check("docs/streams.md");
}

#[test]
fn backup_restore_repair() {
    check("docs/backup.md");
}

#[test]
fn the_patterns() {
    let folder = root().join("docs/patterns");
    let mut pages: Vec<String> = (std::fs::read_dir(folder).expect("the folder is there"))
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".md") && name != "README.md")
        .collect();
    pages.sort();
    assert!(pages.len() >= 10, "the pages: {pages:?}");
    let pages: Vec<String> = pages.iter().map(|page| format!("docs/patterns/{page}")).collect();
    // Each against a broker of its own; most of the time is waiting.
    std::thread::scope(|scope| {
        for page in &pages {
            scope.spawn(move || check(page));
        }
    });
}

#[test]
fn a_page_is_read_as_its_reader_reads_it() {
    let page = "text\n```sh\n# why\nfor n in 1 2; do\n  echo $n\ndone\n#=> 1\n#=> 2\n\na \\\n  b\n```\n```toml\nno\n```\n";
    let step = |line, command: &str, printed: Option<&[&str]>| Step {
        line,
        command: command.to_owned(),
        printed: printed.map(|lines| lines.iter().map(|line| (*line).to_owned()).collect()),
    };
    let expected = [
        step(6, "for n in 1 2; do\n  echo $n\ndone\n", Some(&["1", "2"])),
        step(11, "a \\\n  b\n", None),
    ];
    assert_eq!(steps(page), expected);
}

#[test]
fn what_is_printed_is_held_against_the_page() {
    for (line, wanted, expected) in [
        ("stats.ready   10", "stats.ready 10", true),
        ("stats.ready   10", "stats.ready 1", false),
        ("stats.ready 10", "stats.ready …", true),
        ("a 17 b 18 c", "a … b … c", true),
        ("a 17 b 18 d", "a … b … c", false),
        ("", "", true),
        ("x", "", false),
    ] {
        assert_eq!(fits(line, wanted), expected, "{line} / {wanted}");
    }
    let step = Step { line: 1, command: "x".to_owned(), printed: Some(vec!["a".to_owned()]) };
    assert!(is_as_wanted(&step, 1, "a\n"), "what it prints is what counts");
    assert!(!is_as_wanted(&step, 0, "a\nb\n"), "all of it");
    assert!(!is_as_wanted(&Step::default(), 1, ""), "else it has to succeed");
}
