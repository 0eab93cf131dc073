//! What is wrong with a config, shown with the line it stands in.
//! It must not know how configs are read.

use std::fmt;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::source::{Place, Source};

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct ConfigError {
    message: String,
    mark: Option<(Place, String)>,
    help: Option<String>,
}

impl ConfigError {
    /// A fault of no line in particular.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), mark: None, help: None }
    }

    /// The same fault, at that place, with a word under the caret.
    pub(crate) fn at(mut self, place: &Place, label: impl Into<String>) -> Self {
        self.mark = Some((place.clone(), label.into()));
        self
    }

    /// The same fault, with the next step to take.
    pub(crate) fn help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    /// What is wrong, in one line and without its place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    fn report(&self) -> Group<'_> {
        let title = Level::ERROR.primary_title(self.message.as_str());
        let mut group = match &self.mark {
            Some((place, label)) => title.element(snippet(place, label)),
            None => Group::with_title(title),
        };
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        group
    }
}

fn snippet<'a>(place: &'a Place, label: &'a str) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let annotation = AnnotationKind::Primary.span(place.span.clone()).label(label);
    let snippet = Snippet::source(place.source.text()).annotation(annotation);
    match &*place.source {
        Source::File { path, .. } => snippet.path(path_text(path)),
        Source::Environment { .. } => snippet.path("environment").line_numbering(false),
        Source::Flag { .. } => snippet.path("command line").line_numbering(false),
    }
}

fn path_text(path: &Path) -> String {
    path.display().to_string()
}

/// Everything that is wrong with a config; never empty.
#[derive(Clone, Debug)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// All of `errors`, or nothing when there are none.
    pub(crate) fn check(errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self(errors)) }
    }

    /// Each fault.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }

    /// All faults with their lines, in colour, for a terminal.
    #[must_use]
    pub fn to_styled_text(&self) -> String {
        self.render(&Renderer::styled())
    }

    fn render(&self, renderer: &Renderer) -> String {
        let reports: Vec<_> =
            self.0.iter().map(|error| renderer.render(&[error.report()])).collect();
        reports.join("\n\n")
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

impl std::error::Error for ConfigErrors {}
