//! What bytes a file is made of. Everything that is not UTF-8 is written again as UTF-8, so that reading can be taken
//! up at any byte; in memory there is never more than one block.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use encoding_rs::{CoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

const BLOCK: usize = 64 << 10;

/// Finds out the encoding: a byte order mark decides, then what the client said, then what the bytes look like.
pub(crate) fn detect(
    file: &mut File,
    asked: Option<&'static Encoding>,
) -> std::io::Result<&'static Encoding> {
    let mut head = [0; 64];
    let read = fill(file, &mut head)?;
    let head = &head[..read];
    if let Some((marked, _)) = Encoding::for_bom(head) {
        return Ok(marked);
    }
    if let Some(asked) = asked {
        return Ok(asked);
    }
    if let Some(wide) = looks_wide(head) {
        return Ok(wide);
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(if is_utf8(file)? { UTF_8 } else { WINDOWS_1252 })
}

/// Latin text in UTF-16 has a zero in every second byte.
fn looks_wide(head: &[u8]) -> Option<&'static Encoding> {
    let zeros = |at: usize| head.iter().skip(at).step_by(2).filter(|byte| **byte == 0).count();
    let most = head.len() / 2;
    if most < 4 {
        None
    } else if zeros(1) * 10 >= most * 9 && zeros(0) == 0 {
        Some(UTF_16LE)
    } else if zeros(0) * 10 >= most * 9 && zeros(1) == 0 {
        Some(UTF_16BE)
    } else {
        None
    }
}

fn is_utf8(file: &mut File) -> std::io::Result<bool> {
    let mut block = vec![0; BLOCK];
    let mut kept = 0;
    loop {
        let read = fill(file, &mut block[kept..])?;
        if read == 0 {
            return Ok(kept == 0);
        }
        let held = kept + read;
        let valid = Encoding::utf8_valid_up_to(&block[..held]);
        // At the end of a block a character may be cut: up to three of its bytes wait for the rest.
        kept = held - valid;
        if kept > 3 {
            return Ok(false);
        }
        block.copy_within(valid..held, 0);
    }
}

fn fill(input: &mut impl Read, block: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match input.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Writes the file again as UTF-8, durably and under its final name only when whole.
pub(crate) fn write_as_utf8(
    source: &Path,
    encoding: &'static Encoding,
    target: &Path,
    scratch: &Path,
) -> std::io::Result<()> {
    let mut input = File::open(source)?;
    let mut output = super::files::private()
        .create(true)
        .truncate(true)
        .open(scratch)?;
    let mut decoder = encoding.new_decoder_with_bom_removal();
    let mut block = vec![0; BLOCK];
    let mut text = vec![0; BLOCK * 4];
    loop {
        let read = fill(&mut input, &mut block)?;
        let mut done = 0;
        loop {
            let (result, bytes, written, _) =
                decoder.decode_to_utf8(&block[done..read], &mut text, read == 0);
            done += bytes;
            output.write_all(&text[..written])?;
            if result == CoderResult::InputEmpty {
                break;
            }
        }
        if read == 0 {
            break;
        }
    }
    output.sync_all()?;
    std::fs::rename(scratch, target)?;
    super::files::sync_folder(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detected(bytes: &[u8]) -> &'static str {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        detect(&mut file, None).unwrap().name()
    }

    #[test]
    fn a_file_tells_its_encoding() {
        assert_eq!(detected(b""), "UTF-8");
        assert_eq!(detected("phone;größe".as_bytes()), "UTF-8");
        assert_eq!(detected(b"\xef\xbb\xbfphone"), "UTF-8");
        assert_eq!(detected(b"phone;gr\xf6\xdfe"), "windows-1252");
        assert_eq!(detected(b"\xff\xfep\0h\0"), "UTF-16LE");
        assert_eq!(detected(b"p\0h\0o\0n\0e\0,\0x\0y\0"), "UTF-16LE");
        assert_eq!(detected(b"\0p\0h\0o\0n\0e\0,\0x\0y"), "UTF-16BE");
        assert_eq!(
            detected(&[b"x".repeat(BLOCK - 1), "ß".as_bytes().to_vec()].concat()),
            "UTF-8",
            "cut by a block"
        );
        assert_eq!(
            detected(&[b"x".repeat(BLOCK * 2), b"\xdf".to_vec()].concat()),
            "windows-1252",
            "the last byte"
        );
    }

    #[test]
    fn writing_again_keeps_every_character() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let text = "größe;€\n".repeat(40_000);
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let (narrow, _, _) = WINDOWS_1252.encode(&text);
        for (bytes, encoding) in [(wide.as_slice(), UTF_16LE), (&narrow, WINDOWS_1252)] {
            std::fs::write(at("in"), bytes).unwrap();
            write_as_utf8(&at("in"), encoding, &at("out"), &at("scratch")).unwrap();
            assert_eq!(std::fs::read_to_string(at("out")).unwrap(), text);
            assert!(!at("scratch").exists());
        }
    }
}
