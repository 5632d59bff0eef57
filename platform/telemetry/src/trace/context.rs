//! A place in a trace, as it travels between processes.

/// The length of a `traceparent` of version 00, and of what is read of a later one.
const LENGTH: usize = 55;

/// A later version may add members behind that; nothing sensible needs more than this.
const LONGEST: usize = 256;

/// A place in a trace, as `traceparent` names it (W3C Trace Context, section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    pub(crate) trace: u128,
    pub(crate) span: u64,
    pub(crate) sampled: bool,
}

impl TraceContext {
    /// Reads a `traceparent` of version 00 (later versions are read like it). None when it is malformed.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let bytes = traceparent.as_bytes();
        if !(LENGTH..=LONGEST).contains(&bytes.len()) {
            return None;
        }
        let version = hexadecimal(&bytes[..2])?;
        let whole = bytes.len() == LENGTH || (version != 0 && bytes[LENGTH] == b'-');
        let separated = [2, 35, 52].iter().all(|at| bytes[*at] == b'-');
        if version == 0xff || !whole || !separated {
            return None;
        }
        let context = Self {
            trace: hexadecimal(&bytes[3..35])?,
            span: u64::try_from(hexadecimal(&bytes[36..52])?).ok()?,
            sampled: hexadecimal(&bytes[53..LENGTH])? & 1 == 1,
        };
        (context.trace != 0 && context.span != 0).then_some(context)
    }

    /// The header's value.
    pub fn to_traceparent(self) -> String {
        let Self { trace, span, sampled } = self;
        format!("00-{trace:032x}-{span:016x}-{:02x}", u8::from(sampled))
    }

    /// 32 hexadecimal digits, as log lines and problem responses name the trace.
    pub fn trace_id(self) -> String {
        format!("{:032x}", self.trace)
    }

    /// Whether both are places in the same trace.
    pub fn shares_trace_with(self, other: Self) -> bool {
        self.trace == other.trace
    }

    /// 16 hexadecimal digits.
    pub(crate) fn span_id(self) -> String {
        format!("{:016x}", self.span)
    }
}

/// Lower case only, as the standard demands; `from_str_radix` would also take upper case and a plus.
fn hexadecimal(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number: u128, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn the_example_of_the_standard_is_read_and_written_again() {
        let text = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let context = TraceContext::parse(&text).unwrap();
        assert_eq!(context.to_traceparent(), text);
        assert_eq!(context.trace_id(), TRACE);
        assert_eq!(context.span_id(), "00f067aa0ba902b7");
        assert!(context.sampled);
    }

    #[test]
    fn of_the_flags_only_sampled_is_carried_on() {
        let flags = |flags: &str| {
            TraceContext::parse(&format!("00-{TRACE}-00f067aa0ba902b7-{flags}"))
                .unwrap()
                .to_traceparent()
        };
        assert!(flags("00").ends_with("-00"));
        assert!(flags("02").ends_with("-00"));
        assert!(flags("03").ends_with("-01"));
        assert!(flags("ff").ends_with("-01"));
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for later in [
            format!("01-{TRACE}-00f067aa0ba902b7-01"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01-what-the-future-will-be-like"),
        ] {
            let context = TraceContext::parse(&later).unwrap();
            assert_eq!(
                context.to_traceparent(),
                format!("00-{TRACE}-00f067aa0ba902b7-01")
            );
        }
    }

    #[test]
    fn what_is_malformed_is_nothing() {
        for malformed in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}-00f067aa0ba902b7-0"),
            format!("00-{TRACE}-00f067aa0ba902b7-011"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("01-{TRACE}-00f067aa0ba902b7-01.more"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("--------{TRACE}-00f067aa0ba902b7-01"),
            format!("---{TRACE}-00f067aa0ba902b7-01"),
            format!("0--{TRACE}-00f067aa0ba902b7-01"),
            format!("00_{TRACE}_00f067aa0ba902b7_01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-00F067AA0BA902B7-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-+{}-00f067aa0ba902b7-01", &TRACE[1..]),
            format!(" 00-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-01 "),
            format!("00-{TRACE}-00f067aa0ba902b7-\u{e9}"),
            format!("01-{TRACE}-00f067aa0ba902b7-01-{}", "x".repeat(64 << 10)),
        ] {
            let shown: String = malformed.chars().take(80).collect();
            assert_eq!(TraceContext::parse(&malformed), None, "{shown}");
        }
    }
}
