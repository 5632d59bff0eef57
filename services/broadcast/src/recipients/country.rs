//! Countries: ISO 3166-1 alpha-2, and the words that people write instead.

use rlibphonenumber::Region;

use super::phone;

/// A country whose telephone numbers are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country(Region);

impl Country {
    /// Reads an alpha-2 code or a name in English, German or the country's own language.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('\'').trim();
        Self::of_code(text).or_else(|| {
            let word = text.to_lowercase();
            let (code, _) = NAMES.iter().find(|(_, names)| names.contains(&word.as_str()))?;
            Self::of_code(code)
        })
    }

    fn of_code(text: &str) -> Option<Self> {
        if text.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return None;
        }
        // "UK" is reserved for the United Kingdom and used by everybody.
        let code = if text.eq_ignore_ascii_case("uk") {
            "GB".to_owned()
        } else {
            text.to_ascii_uppercase()
        };
        Self::of_region(Region::try_from(code.as_str()).ok()?)
    }

    pub(super) fn of_region(region: Region) -> Option<Self> {
        (region != Region::World && phone::knows(region)).then_some(Self(region))
    }

    pub(super) fn region(self) -> Region {
        self.0
    }

    /// The alpha-2 code.
    pub fn code(self) -> String {
        self.0.to_string()
    }
}

/// Names and alpha-3 codes in lower case.
const NAMES: &[(&str, &[&str])] = &[
    (
        "AE",
        &[
            "are",
            "uae",
            "united arab emirates",
            "vereinigte arabische emirate",
            "الإمارات",
            "الإمارات العربية المتحدة",
        ],
    ),
    ("AR", &["arg", "argentina", "argentinien"]),
    ("AT", &["aut", "austria", "österreich", "oesterreich"]),
    ("AU", &["aus", "australia", "australien"]),
    ("BD", &["bgd", "bangladesh", "bangladesch"]),
    ("BE", &["bel", "belgium", "belgien", "belgië", "belgique"]),
    ("BG", &["bgr", "bulgaria", "bulgarien", "българия"]),
    ("BR", &["bra", "brazil", "brasilien", "brasil"]),
    ("CA", &["can", "canada", "kanada"]),
    ("CH", &["che", "switzerland", "schweiz", "suisse", "svizzera"]),
    ("CL", &["chl", "chile"]),
    ("CN", &["chn", "china", "中国"]),
    ("CO", &["col", "colombia", "kolumbien"]),
    (
        "CZ",
        &[
            "cze",
            "czechia",
            "czech republic",
            "tschechien",
            "česko",
            "česká republika",
        ],
    ),
    (
        "DE",
        &[
            "deu",
            "ger",
            "germany",
            "deutschland",
            "brd",
            "allemagne",
            "alemania",
            "germania",
        ],
    ),
    ("DK", &["dnk", "denmark", "dänemark", "danmark"]),
    ("DZ", &["dza", "algeria", "algerien", "algérie", "الجزائر"]),
    ("EE", &["est", "estonia", "estland", "eesti"]),
    ("EG", &["egy", "egypt", "ägypten", "مصر"]),
    ("ES", &["esp", "spain", "spanien", "españa", "espana"]),
    ("ET", &["eth", "ethiopia", "äthiopien"]),
    ("FI", &["fin", "finland", "finnland", "suomi"]),
    ("FR", &["fra", "france", "frankreich", "francia"]),
    (
        "GB",
        &[
            "gbr",
            "united kingdom",
            "great britain",
            "britain",
            "england",
            "scotland",
            "wales",
            "vereinigtes königreich",
            "großbritannien",
            "grossbritannien",
        ],
    ),
    ("GH", &["gha", "ghana"]),
    ("GR", &["grc", "greece", "griechenland", "ελλάδα"]),
    ("HK", &["hkg", "hong kong", "hongkong", "香港"]),
    ("HR", &["hrv", "croatia", "kroatien", "hrvatska"]),
    ("HU", &["hun", "hungary", "ungarn", "magyarország"]),
    ("ID", &["idn", "indonesia", "indonesien"]),
    ("IE", &["irl", "ireland", "irland", "éire"]),
    ("IL", &["isr", "israel", "ישראל"]),
    ("IN", &["ind", "india", "indien", "भारत"]),
    ("IQ", &["irq", "iraq", "irak", "العراق"]),
    ("IR", &["irn", "iran", "ایران"]),
    ("IS", &["isl", "iceland", "island", "ísland"]),
    ("IT", &["ita", "italy", "italien", "italia", "italie"]),
    ("JO", &["jor", "jordan", "jordanien", "الأردن"]),
    ("JP", &["jpn", "japan", "日本"]),
    ("KE", &["ken", "kenya", "kenia"]),
    ("KR", &["kor", "south korea", "korea", "südkorea", "대한민국"]),
    ("KW", &["kwt", "kuwait", "الكويت"]),
    ("LB", &["lbn", "lebanon", "libanon", "لبنان"]),
    ("LI", &["lie", "liechtenstein"]),
    ("LK", &["lka", "sri lanka"]),
    ("LT", &["ltu", "lithuania", "litauen", "lietuva"]),
    ("LU", &["lux", "luxembourg", "luxemburg"]),
    ("LV", &["lva", "latvia", "lettland", "latvija"]),
    ("MA", &["mar", "morocco", "marokko", "maroc", "المغرب"]),
    ("MX", &["mex", "mexico", "mexiko", "méxico"]),
    ("MY", &["mys", "malaysia"]),
    ("NG", &["nga", "nigeria"]),
    (
        "NL",
        &[
            "nld",
            "netherlands",
            "the netherlands",
            "holland",
            "niederlande",
            "nederland",
        ],
    ),
    ("NO", &["nor", "norway", "norwegen", "norge"]),
    ("NZ", &["nzl", "new zealand", "neuseeland"]),
    ("OM", &["omn", "oman", "عمان"]),
    ("PE", &["per", "peru", "perú"]),
    ("PH", &["phl", "philippines", "philippinen", "pilipinas"]),
    ("PK", &["pak", "pakistan", "پاکستان"]),
    ("PL", &["pol", "poland", "polen", "polska"]),
    ("PT", &["prt", "portugal"]),
    ("QA", &["qat", "qatar", "katar", "قطر"]),
    ("RO", &["rou", "romania", "rumänien", "românia"]),
    ("RS", &["srb", "serbia", "serbien", "srbija", "србија"]),
    ("RU", &["rus", "russia", "russland", "россия"]),
    ("RW", &["rwa", "rwanda", "ruanda"]),
    ("SA", &["sau", "saudi arabia", "saudi-arabien", "السعودية"]),
    ("SE", &["swe", "sweden", "schweden", "sverige"]),
    ("SG", &["sgp", "singapore", "singapur"]),
    ("SI", &["svn", "slovenia", "slowenien", "slovenija"]),
    ("SK", &["svk", "slovakia", "slowakei", "slovensko"]),
    ("TH", &["tha", "thailand", "ประเทศไทย"]),
    ("TN", &["tun", "tunisia", "tunesien", "tunisie", "تونس"]),
    ("TR", &["tur", "turkey", "türkei", "türkiye", "turkiye"]),
    ("TW", &["twn", "taiwan", "臺灣"]),
    ("TZ", &["tza", "tanzania", "tansania"]),
    ("UA", &["ukr", "ukraine", "україна"]),
    ("UG", &["uga", "uganda"]),
    (
        "US",
        &[
            "usa",
            "united states",
            "united states of america",
            "u.s.",
            "u.s.a.",
            "america",
            "vereinigte staaten",
            "estados unidos",
        ],
    ),
    ("VN", &["vnm", "vietnam", "viet nam", "việt nam"]),
    ("ZA", &["zaf", "south africa", "südafrika", "suid-afrika"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_has_many_names() {
        for name in ["DE", "de", "Deutschland", " germany ", "DEU", "'DE"] {
            assert_eq!(
                Country::read(name).map(Country::code).as_deref(),
                Some("DE"),
                "{name}"
            );
        }
        assert_eq!(Country::read("UK").map(Country::code).as_deref(), Some("GB"));
        for nothing in ["", "QQ", "Atlantis", "1", "ÄÖ"] {
            assert_eq!(Country::read(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn every_code_of_the_table_is_known_and_every_name_is_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for (code, names) in NAMES {
            assert!(Country::of_code(code).is_some(), "{code}");
            for name in *names {
                assert_eq!(*name, name.to_lowercase());
                assert!(seen.insert(*name), "{name} names two countries");
            }
        }
    }
}
