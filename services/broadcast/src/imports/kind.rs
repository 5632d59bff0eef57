//! What kind of file it may be, before anything of it is read.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use super::records::{Broken, MOST_RECORD_BYTES, ReadFault};

/// What the first bytes of a file say.
pub(super) enum Kind {
    /// Nothing that is known: text.
    Text,
    /// Perhaps a workbook.
    Archive,
    /// Known to be something else.
    Other,
}

/// Looks at the first bytes: names of files say nothing.
pub(super) fn kind(head: &[u8]) -> Kind {
    let others: [&[u8]; 11] = [
        b"\xd0\xcf\x11\xe0",
        b"%PDF",
        b"\x89PNG",
        b"\xff\xd8\xff",
        b"GIF8",
        b"\x1f\x8b",
        b"7z\xbc\xaf",
        b"Rar!",
        b"\x7fELF",
        b"MZ\x90\0",
        b"SQLite f",
    ];
    if head.starts_with(b"PK\x03\x04") {
        Kind::Archive
    } else if others.iter().any(|magic| head.starts_with(magic)) {
        Kind::Other
    } else {
        Kind::Text
    }
}

/// A file that is one endless line is refused before all of it is read. Line breaks are the same bytes in every encoding
/// that is understood, and the longest header is a quarter of this.
pub(super) fn first_line(upload: &mut File) -> Result<(), ReadFault> {
    let mut block = vec![0; 64 << 10];
    let mut before = 0;
    loop {
        let read = upload.read(&mut block)?;
        if read == 0 || block[..read].iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
            break;
        }
        before += read;
        if before > 4 * MOST_RECORD_BYTES {
            return Err(Broken::RecordTooLong.into());
        }
    }
    upload.seek(SeekFrom::Start(0))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gigabyte_without_a_line_break_is_refused_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("endless");
        // It takes no room on the disk.
        let mut file = File::create_new(&path).unwrap();
        file.set_len(1 << 30).unwrap();
        file = File::open(&path).unwrap();
        let refused = first_line(&mut file).unwrap_err();
        assert!(matches!(refused, ReadFault::Broken(Broken::RecordTooLong)));
        assert!(file.stream_position().unwrap() < 8 << 20);

        std::fs::write(&path, [vec![b'x'; 2 << 20], b"\r".to_vec()].concat()).unwrap();
        let mut file = File::open(&path).unwrap();
        first_line(&mut file).unwrap();
        assert_eq!(file.stream_position().unwrap(), 0, "from the beginning again");
    }
}
