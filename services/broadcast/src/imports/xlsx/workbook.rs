//! Where the parts of a workbook are: the first visible sheet, the strings and the styles.

use super::SheetFault;
use super::container::Container;
use super::xml::{attribute, begun};

/// The most relations of a part that are looked at.
const MOST_RELATIONS: usize = 1_000;

/// The parts to be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Places {
    /// The sheet.
    pub(super) sheet: String,
    /// What its cells share.
    pub(super) strings: Option<String>,
    /// What its numbers mean.
    pub(super) styles: Option<String>,
    /// Whether days are counted from 1904 on, as they were on a Macintosh.
    pub(super) since_1904: bool,
}

/// What one part says of another.
struct Relation {
    id: String,
    /// The last word of its type: `worksheet`, `styles`, …
    kind: String,
    target: String,
}

/// Finds them.
pub(super) fn places(container: &mut Container) -> Result<Places, SheetFault> {
    let main = relations(container, "")?
        .into_iter()
        .find(|relation| relation.kind == "officeDocument")
        .ok_or(SheetFault::NoWorkbook)?
        .target;
    let relations = relations(container, &main)?;
    let of_kind = |kind: &str| {
        let mut found = relations.iter().filter(|relation| relation.kind == kind);
        found.next().map(|relation| relation.target.clone())
    };
    let (sheets, since_1904) = sheets(container, &main)?;
    let visible = sheets.iter().find_map(|id| {
        let mut worksheets = relations.iter().filter(|relation| relation.kind == "worksheet");
        worksheets.find(|relation| relation.id == *id)
    });
    Ok(Places {
        sheet: visible
            .ok_or(SheetFault::Unreadable("it has no visible sheet"))?
            .target
            .clone(),
        strings: of_kind("sharedStrings"),
        styles: of_kind("styles"),
        since_1904,
    })
}

/// The relations of the visible sheets in their order, and since when days are counted.
fn sheets(container: &mut Container, main: &str) -> Result<(Vec<String>, bool), SheetFault> {
    let (mut sheets, mut since_1904, mut is_workbook) = (Vec::new(), false, false);
    let workbook = container.part(main)?.ok_or(SheetFault::NoWorkbook)?;
    workbook.each(|event| {
        match begun(event) {
            Some((_, "workbook")) => is_workbook = true,
            Some((tag, "workbookPr")) => {
                let since = attribute(tag, "date1904")?;
                since_1904 = since.is_some_and(|since| since == "1" || since == "true");
            }
            Some((tag, "sheet")) if sheets.len() < MOST_RELATIONS => {
                let state = attribute(tag, "state")?;
                if state.is_none_or(|state| state == "visible") {
                    sheets.extend(attribute(tag, "id")?.map(Into::into));
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    // A text or a presentation is an archive of the same kind.
    if is_workbook {
        Ok((sheets, since_1904))
    } else {
        Err(SheetFault::NoWorkbook)
    }
}

/// What a part says of others: `xl/_rels/workbook.xml.rels` of `xl/workbook.xml`; the archive itself is the part without
/// a name. What is outside of the archive is left out.
fn relations(container: &mut Container, part: &str) -> Result<Vec<Relation>, SheetFault> {
    let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
    let slash = if folder.is_empty() { "" } else { "/" };
    let mut found = Vec::new();
    let Some(relations) = container.part(&format!("{folder}{slash}_rels/{file}.rels"))? else {
        return Ok(found);
    };
    relations.each(|event| {
        let Some((tag, "Relationship")) = begun(event) else {
            return Ok(());
        };
        let external = attribute(tag, "TargetMode")?.is_some_and(|mode| mode == "External");
        let (id, kind, target) = (
            attribute(tag, "Id")?,
            attribute(tag, "Type")?,
            attribute(tag, "Target")?,
        );
        if let (Some(id), Some(kind), Some(target), false) = (id, kind, target, external)
            && let Some(target) = resolved(folder, &target)
            && found.len() < MOST_RELATIONS
        {
            found.push(Relation {
                id: id.into_owned(),
                kind: kind.rsplit('/').next().unwrap_or_default().to_owned(),
                target,
            });
        }
        Ok(())
    })?;
    Ok(found)
}

/// The name of a part that is named in another one of this folder; none if it is outside.
fn resolved(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = match target.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => folder.split('/').collect(),
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    parts.retain(|part| !part.is_empty());
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::resolved;

    #[test]
    fn a_target_is_relative_to_the_part_that_names_it() {
        for (folder, target, expected) in [
            ("xl", "worksheets/sheet1.xml", Some("xl/worksheets/sheet1.xml")),
            (
                "xl",
                "/xl/worksheets/sheet1.xml",
                Some("xl/worksheets/sheet1.xml"),
            ),
            ("xl/a", "../styles.xml", Some("xl/styles.xml")),
            ("xl", "./styles.xml", Some("xl/styles.xml")),
            ("", "xl/workbook.xml", Some("xl/workbook.xml")),
            ("xl", "../../etc/passwd", None),
            ("xl", "/../etc/passwd", None),
        ] {
            assert_eq!(resolved(folder, target).as_deref(), expected, "{folder} {target}");
        }
    }
}
