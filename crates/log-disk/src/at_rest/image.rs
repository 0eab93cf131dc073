//! A copy of a log that nobody runs. It must not know where the copy goes.

use std::sync::Arc;

use super::{AtRest, Survey};
use crate::error::{Damage, OpenError};
use crate::image::{Image, ImageError, Sources};
use crate::segment::SEGMENT_HEADER_BYTES;
use crate::segments::Segment;

impl AtRest {
    /// What a start would find: the newest whole checkpoint and the records after it, a torn tail left out.
    ///
    /// # Errors
    /// When something is damaged, or the checkpoint cannot be opened.
    pub fn image(mut self, survey: &Survey) -> Result<Image, OpenError> {
        // A start gets by without a damaged checkpoint, and so does a copy.
        let spoils = |damage: &&Damage| !self.spoiled.contains(damage);
        if let Some(damage) = survey.findings.iter().map(|finding| &finding.damage).find(spoils) {
            return Err(damage.clone().into());
        }
        let from = self.from().0.segment();
        let has_records = |end: u64| end > u64::from(SEGMENT_HEADER_BYTES);
        let started = survey.segments.iter().filter(|(_, looked)| has_records(looked.end));
        let last = started.map(|(number, _)| *number).max().unwrap_or_default().max(from);
        let counts = self.base.as_ref().map(|base| &base.checkpoint.counts);
        let is_live = |number: u32| {
            number >= from || counts.and_then(|counts| counts.get(&number)).is_some_and(|n| *n > 0)
        };
        let needed = survey.segments.range(..=last).filter(|(number, _)| is_live(**number));
        let segments = needed.map(|(number, looked)| {
            let end = u32::try_from(looked.end).unwrap_or(u32::MAX);
            let (file_bytes, salt) = (looked.header.file_bytes, looked.header.salt);
            Arc::new(Segment::new(*number, looked.path.clone(), file_bytes, salt, end))
        });
        let checkpoint = self.base.as_ref().map(|base| base.path.as_path());
        let sources = Sources { host: &self.host, checkpoint };
        let image = Image::new(sources, segments.collect(), &Arc::default());
        let image = image.map_err(|error| match error {
            ImageError::Open(error) => error,
            ImageError::ShutDown => OpenError::Config { what: error.to_string() },
        })?;
        Ok(match self.lock.take() {
            Some(lock) => image.with_lock(lock),
            None => image,
        })
    }
}
