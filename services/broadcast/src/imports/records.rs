//! Records of a CSV file, read one at a time from any place in the file, with bounds on what one record may be.
//!
//! `csv-core` parses; it never fails, so what has to be refused is refused here: records and rows of columns beyond
//! the bounds, and a quote that is never closed.

use std::io::{BufRead, BufReader, Read};

use csv_core::ReadRecordResult;

/// The longest record in bytes, without quotes and delimiters.
pub(crate) const MOST_RECORD_BYTES: usize = 1 << 20;
/// The most columns.
pub(crate) const MOST_COLUMNS: usize = 200;

/// Why a file cannot be read further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// A record is longer than 1 MiB.
    #[error("a record is longer than 1 MiB; is a quote not closed?")]
    RecordTooLong,
    /// A record has more than 200 columns.
    #[error("a record has more than 200 columns")]
    TooManyColumns,
    /// The file ends inside quotes.
    #[error("the file ends inside quotes")]
    UnclosedQuote,
    /// The file has more rows than are accepted.
    #[error("the file has more rows than are accepted")]
    TooManyRows,
}

impl Broken {
    /// The stable code.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::RecordTooLong => "RECORD_TOO_LONG",
            Self::TooManyColumns => "TOO_MANY_COLUMNS",
            Self::UnclosedQuote => "UNCLOSED_QUOTE",
            Self::TooManyRows => "TOO_MANY_ROWS",
        }
    }
}

/// Why there is no next record.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadFault {
    /// The file is not acceptable.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The file cannot be read now.
    #[error("the file cannot be read")]
    Io(#[from] std::io::Error),
}

/// Reads records. Empty lines are no records.
pub(crate) struct Records<R> {
    input: BufReader<R>,
    parser: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    written: usize,
    ended: usize,
    offset: u64,
}

impl<R: Read> Records<R> {
    /// Reads from here, which is byte `offset` of the file.
    pub(crate) fn new(input: R, delimiter: u8, offset: u64) -> Self {
        Self {
            input: BufReader::with_capacity(64 << 10, input),
            parser: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            text: vec![0; 4 << 10],
            ends: vec![0; MOST_COLUMNS + 1],
            written: 0,
            ended: 0,
            offset,
        }
    }

    /// How many bytes of the file lie before the next record.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record's fields; none at the end.
    pub(crate) fn next_record(&mut self) -> Result<Option<Vec<String>>, ReadFault> {
        (self.written, self.ended) = (0, 0);
        loop {
            let input = self.input.fill_buf()?;
            if input.is_empty() {
                return self.last_record();
            }
            let input_length = input.len();
            let (result, read) = feed(
                &mut self.parser,
                input,
                (&mut self.text, &mut self.written),
                (&mut self.ends, &mut self.ended),
            )?;
            debug_assert!(read <= input_length);
            self.input.consume(read);
            self.offset += u64::try_from(read).unwrap_or_default();
            if result == ReadRecordResult::Record {
                return Ok(Some(self.fields()));
            }
        }
    }

    // A record that ends with the file ends at a line break too, unless it is inside quotes.
    fn last_record(&mut self) -> Result<Option<Vec<String>>, ReadFault> {
        for input in [b"\n".as_slice(), b""] {
            let (result, _) = feed(
                &mut self.parser,
                input,
                (&mut self.text, &mut self.written),
                (&mut self.ends, &mut self.ended),
            )?;
            match (result, input.is_empty()) {
                (ReadRecordResult::Record, false) => return Ok(Some(self.fields())),
                (ReadRecordResult::Record, true) => return Err(Broken::UnclosedQuote.into()),
                (ReadRecordResult::End, _) => return Ok(None),
                _ => {}
            }
        }
        Ok(None)
    }

    fn fields(&self) -> Vec<String> {
        let mut start = 0;
        self.ends[..self.ended]
            .iter()
            .map(|&end| {
                let field = String::from_utf8_lossy(&self.text[start..end]).into_owned();
                start = end;
                field
            })
            .collect()
    }
}

/// Feeds input to the parser until it is used up or a record is complete; grows the text up to its bound.
fn feed(
    parser: &mut csv_core::Reader,
    input: &[u8],
    (text, written): (&mut Vec<u8>, &mut usize),
    (ends, ended): (&mut [usize], &mut usize),
) -> Result<(ReadRecordResult, usize), Broken> {
    let mut read = 0;
    loop {
        let (result, bytes, out, columns) =
            parser.read_record(&input[read..], &mut text[*written..], &mut ends[*ended..]);
        read += bytes;
        *written += out;
        *ended += columns;
        match result {
            ReadRecordResult::OutputFull if text.len() >= MOST_RECORD_BYTES => {
                return Err(Broken::RecordTooLong);
            }
            ReadRecordResult::OutputFull => text.resize((text.len() * 2).min(MOST_RECORD_BYTES), 0),
            ReadRecordResult::OutputEndsFull => return Err(Broken::TooManyColumns),
            ReadRecordResult::Record if *ended > MOST_COLUMNS => return Err(Broken::TooManyColumns),
            ReadRecordResult::InputEmpty | ReadRecordResult::Record | ReadRecordResult::End => {
                return Ok((result, read));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    fn all(text: &[u8], delimiter: u8) -> Result<Vec<Vec<String>>, Broken> {
        let mut records = Records::new(text, delimiter, 0);
        let mut found = Vec::new();
        loop {
            match records.next_record() {
                Ok(Some(record)) => found.push(record),
                Ok(None) => return Ok(found),
                Err(ReadFault::Broken(broken)) => return Err(broken),
                Err(ReadFault::Io(error)) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn quotes_hold_delimiters_line_breaks_and_quotes() {
        let found = all(b"a,\"b,\"\"c\"\"\r\nd\"\r\n\r\ne,f", b',').unwrap();
        assert_eq!(found, [["a", "b,\"c\"\r\nd"], ["e", "f"]]);
        assert!(all(b"", b',').unwrap().is_empty());
        assert!(all(b"\r\n\n", b',').unwrap().is_empty());
    }

    #[test]
    fn what_is_beyond_the_bounds_is_refused() {
        assert_eq!(all(b"a,b\nc,\"d\ne,f\n", b','), Err(Broken::UnclosedQuote));
        assert_eq!(all(b"\"", b','), Err(Broken::UnclosedQuote));
        assert_eq!(
            all(&vec![b'x'; MOST_RECORD_BYTES + 1], b','),
            Err(Broken::RecordTooLong)
        );
        assert_eq!(
            all(&[b"\"".to_vec(), vec![b'\n'; 3 << 20]].concat(), b','),
            Err(Broken::RecordTooLong)
        );
        assert_eq!(all(&[b','; MOST_COLUMNS], b','), Err(Broken::TooManyColumns));
        assert_eq!(all(&vec![b','; 100_000], b','), Err(Broken::TooManyColumns));
        assert_eq!(
            all(&[b','; MOST_COLUMNS - 1], b',').unwrap()[0].len(),
            MOST_COLUMNS
        );
    }

    /// Says how much was taken of it.
    struct Counted<'a, R>(R, &'a Cell<usize>);

    impl<R: Read> Read for Counted<'_, R> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = self.0.read(buffer)?;
            self.1.set(self.1.get() + length);
            Ok(length)
        }
    }

    #[test]
    fn of_a_line_that_has_no_end_hardly_more_is_read_than_a_record_may_have() {
        // Within quotes, two of them are one.
        for (byte, expected, most) in [
            (b'x', Broken::RecordTooLong, MOST_RECORD_BYTES),
            (b'"', Broken::RecordTooLong, 2 * MOST_RECORD_BYTES),
            (b',', Broken::TooManyColumns, 0),
        ] {
            let read = Cell::new(0);
            let mut records = Records::new(Counted(std::io::repeat(byte), &read), b',', 0);
            match records.next_record() {
                Err(ReadFault::Broken(broken)) => assert_eq!(broken, expected),
                other => panic!("{}: {}", char::from(byte), other.is_ok()),
            }
            assert!(
                read.get() <= most + (128 << 10),
                "{}: {}",
                char::from(byte),
                read.get()
            );
        }
    }

    /// A field as any program may write it: quoted where it has to be, or always.
    fn written(field: &str, delimiter: u8, always: bool) -> String {
        let special = [char::from(delimiter), '"', '\r', '\n'];
        if always || field.contains(special) || field.is_empty() {
            format!("\"{}\"", field.replace('"', "\"\""))
        } else {
            field.to_owned()
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            rows in prop::collection::vec(prop::collection::vec("[aß,;|\"'\t\r\n =]{0,8}", 1..6), 0..6),
            delimiter in prop::sample::select(vec![b',', b';', b'\t', b'|']),
            always in any::<bool>(),
            end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
            ends in any::<bool>(),
        ) {
            let between = char::from(delimiter).to_string();
            let lines: Vec<String> = rows
                .iter()
                .map(|row| row.iter().map(|field| written(field, delimiter, always)).collect::<Vec<_>>().join(&between))
                .collect();
            let text = lines.join(end) + if ends && !lines.is_empty() { end } else { "" };
            prop_assert_eq!(all(text.as_bytes(), delimiter).unwrap(), rows);
        }

        // Whatever the bytes are, reading comes to an end, and no record is beyond the bounds.
        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in prop::collection::vec(any::<u8>(), 0..2_000),
            delimiter in prop::sample::select(vec![b',', b';', b'\t', b'|']),
        ) {
            if let Ok(records) = all(&bytes, delimiter) {
                prop_assert!(records.iter().all(|record| !record.is_empty() && record.len() <= MOST_COLUMNS));
            }
        }

        // Whatever is read in one go is read too when every record begins a new reader at the place the last one left.
        #[test]
        fn reading_can_be_taken_up_after_every_record(text in "[ab,\"\r\n;]{0,60}") {
            let Ok(whole) = all(text.as_bytes(), b',') else { return Ok(()) };
            let (mut pieces, mut offset) = (Vec::new(), 0);
            loop {
                let mut records = Records::new(&text.as_bytes()[offset..], b',', 0);
                let Some(record) = records.next_record().unwrap() else { break };
                offset += usize::try_from(records.offset()).unwrap();
                pieces.push(record);
            }
            prop_assert_eq!(pieces, whole);
        }
    }
}
