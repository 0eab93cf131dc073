//! Numbers on the command line. They must not know what is counted.

use std::str::FromStr;

/// The offset of a message.
pub fn offset(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "is no offset: give a whole number, such as 17".to_owned())
}

/// How many, from none on.
pub fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "is no whole number that fits here".to_owned())
}

/// How many, from one on.
pub fn count<T: FromStr + PartialOrd + From<u8>>(text: &str) -> Result<T, String> {
    let count: T = number(text)?;
    if count < T::from(1) { Err("must be 1 or more".to_owned()) } else { Ok(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole_and_counts_begin_at_one() {
        assert_eq!((offset("0"), number("0"), count("1")), (Ok(0), Ok(0_u32), Ok(1_u64)));
        for text in ["zz", "-1", "1.5", "", "earliest"] {
            assert!(offset(text).is_err() && number::<u64>(text).is_err(), "{text}");
        }
        assert_eq!(count::<u32>("0"), Err("must be 1 or more".to_owned()));
        assert!(count::<u32>("4294967296").is_err());
    }
}
