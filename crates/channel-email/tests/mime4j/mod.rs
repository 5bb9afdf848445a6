//! Their trees: which parts a message has, and the decoded bytes of each.

use std::path::{Path, PathBuf};

use mail_parser::{Message, MessageParser, PartType};

use super::{bytes, folder, tell};

/// A leaf of their tree: text or bytes, and where the decoded bytes are.
struct Leaf {
    file: PathBuf,
    text: bool,
}

/// The leaves in order, read from the `name="..."` of the decoded tree.
fn leaves(xml: &str, beside: &Path) -> Vec<Leaf> {
    xml.lines()
        .filter_map(|line| {
            let text = line.starts_with("<text-body");
            let named =
                line.strip_prefix(if text { "<text-body name=\"" } else { "<binary-body name=\"" })?;
            Some(Leaf { file: beside.join(named.split('"').next()?), text })
        })
        .collect()
}

/// Our leaves in order, messages within opened.
fn ours(message: &Message<'_>, into: &mut Vec<Vec<u8>>) {
    for part in &message.parts {
        match &part.body {
            PartType::Multipart(_) => {}
            PartType::Message(inner) => ours(inner, into),
            PartType::Text(_) | PartType::Html(_) | PartType::Binary(_) | PartType::InlineBinary(_) => {
                into.push(part.contents().to_vec());
            }
        }
    }
}

/// Whether the bytes are the same but for line ends, an empty end, and the encoding of text: ours is UTF-8 already.
fn same(ours: &[u8], leaf: &Leaf) -> bool {
    let theirs = bytes(&leaf.file);
    if !leaf.text {
        return ours == theirs || trimmed(ours) == trimmed(&theirs);
    }
    let ascii =
        |text: &[u8]| -> Vec<u8> { text.iter().copied().filter(|byte| byte.is_ascii_graphic()).collect() };
    trimmed(ours) == trimmed(&theirs) || ascii(ours) == ascii(&theirs)
}

fn trimmed(bytes: &[u8]) -> Vec<u8> {
    let plain: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != b'\r').collect();
    plain.trim_ascii_end().to_vec()
}

fn compare(path: &Path) -> Result<(), String> {
    let raw = bytes(path);
    let xml =
        bytes(&path.with_file_name(format!(
            "{}_decoded.xml",
            path.file_stem().unwrap_or_default().to_string_lossy()
        )));
    let wanted = leaves(&String::from_utf8_lossy(&xml), path.parent().unwrap_or(path));
    let mail = channel_email::read(&raw, &channel_email::Limits::default());
    if mail.is_err() != raw.iter().all(u8::is_ascii_whitespace) {
        return Err("our reader refused it".to_owned());
    }
    let mut found = Vec::new();
    if let Some(message) = MessageParser::default().parse(&raw) {
        ours(&message, &mut found);
    }
    // A part without a byte is none for one side and an empty one for the other.
    found.retain(|part| !trimmed(part).is_empty());
    let wanted: Vec<Leaf> =
        wanted.into_iter().filter(|leaf| !trimmed(&bytes(&leaf.file)).is_empty()).collect();
    if found.len() != wanted.len() {
        return Err(format!("{} parts, not {}", found.len(), wanted.len()));
    }
    match found.iter().zip(&wanted).position(|(ours, leaf)| !same(ours, leaf)) {
        Some(at) => Err(format!("other bytes in part {}", at + 1)),
        None => Ok(()),
    }
}

/// Whether our reader lost nothing: every leaf of theirs is in the words or is a part, messages within opened.
fn nothing_lost(path: &Path) -> Result<(), String> {
    let raw = bytes(path);
    let xml =
        bytes(&path.with_file_name(format!(
            "{}_decoded.xml",
            path.file_stem().unwrap_or_default().to_string_lossy()
        )));
    let (mut words, mut parts) = (Vec::new(), Vec::new());
    shown(&raw, 0, &mut words, &mut parts);
    let words: Vec<u8> = words.concat();
    for leaf in leaves(&String::from_utf8_lossy(&xml), path.parent().unwrap_or(path)) {
        let theirs = bytes(&leaf.file);
        let dense = graphic(&theirs);
        let said = dense.is_empty() || words.windows(dense.len()).any(|window| window == dense);
        let attached =
            parts.iter().any(|part| same(part, &leaf) || (!leaf.text && part.starts_with(&theirs)));
        if !said && !attached {
            return Err(format!(
                "{} is nowhere",
                leaf.file.file_name().unwrap_or_default().to_string_lossy()
            ));
        }
    }
    Ok(())
}

fn graphic(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(u8::is_ascii_graphic).collect()
}

fn shown(raw: &[u8], depth: usize, words: &mut Vec<Vec<u8>>, parts: &mut Vec<Vec<u8>>) {
    let Ok(mail) = channel_email::read(raw, &channel_email::Limits::default()) else { return };
    words.push(graphic(mail.text.as_bytes()));
    words.push(graphic(mail.html.unwrap_or_default().as_bytes()));
    for part in mail.parts {
        if part.media_type == "message/rfc822" && depth < 5 {
            shown(&part.bytes, depth + 1, words, parts);
        }
        parts.push(part.bytes);
    }
}

#[test]
fn trees_and_bytes() {
    count("mime4j trees and bytes", 835, compare);
}

#[test]
fn everything_is_shown() {
    count("mime4j everything shown by read", 950, nothing_lost);
}

fn count(name: &str, floor: usize, check: impl Fn(&Path) -> Result<(), String>) {
    let Some(folder) = folder("mime4j") else { return };
    let (mut agreed, mut all, mut differences) = (0, 0, Vec::new());
    let below = ["testmsgs", "mimetools-testmsgs"].map(|name| folder.join(name));
    let mut files: Vec<PathBuf> = below
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(|entries| entries.filter_map(|entry| entry.ok().map(|entry| entry.path())))
        .filter(|path| path.extension().is_some_and(|extension| extension == "msg"))
        .collect();
    files.sort();
    for file in files {
        all += 1;
        match check(&file) {
            Ok(()) => agreed += 1,
            Err(why) => {
                differences.push(format!("{}: {why}", file.file_name().unwrap_or_default().to_string_lossy()))
            }
        }
    }
    tell(name, agreed, all, floor, &differences);
}
