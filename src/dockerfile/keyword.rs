//! The words an instruction can start with.
//!
//! Goes in: the first word of a logical line. Comes out: the instruction it names, in any case. Costs a
//! few comparisons. Invariant: every instruction of the newest grammar is in [`Keyword::ALL`] once.

use std::fmt;

/// An instruction of the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Label,
    Maintainer,
    Onbuild,
    Run,
    Shell,
    Stopsignal,
    User,
    Volume,
    Workdir,
}

impl Keyword {
    /// In alphabetical order.
    pub(super) const ALL: [Self; 18] = [
        Self::Add,
        Self::Arg,
        Self::Cmd,
        Self::Copy,
        Self::Entrypoint,
        Self::Env,
        Self::Expose,
        Self::From,
        Self::Healthcheck,
        Self::Label,
        Self::Maintainer,
        Self::Onbuild,
        Self::Run,
        Self::Shell,
        Self::Stopsignal,
        Self::User,
        Self::Volume,
        Self::Workdir,
    ];

    /// In upper case.
    pub(super) const fn as_str(self) -> &'static str {
        // A table, since of instructions that follow each other no processor foresees which it is.
        NAMES[self as usize]
    }

    /// The keyword that text starts with and the place of what follows, where it is written as most are: in
    /// upper case, with one blank behind it. Few lines need another look.
    #[inline]
    pub(super) fn at_start(text: &[u8]) -> Option<(Self, usize)> {
        let letters = u64::from_le_bytes(*text.first_chunk()?);
        // The highest bit of every byte up to a blank; those above the lowest of them may be wrong.
        let blanks = letters.wrapping_sub(EACH * 0x21) & !letters & (EACH * 0x80);
        let len = blanks.trailing_zeros() as usize / 8;
        if len == letters.to_le_bytes().len() {
            return None;
        }
        let [b' ', b'!'..=b'~'] = text.get(len..)?.first_chunk()? else {
            return None;
        };
        let word = letters & ((1 << (8 * len)) - 1);
        let (known, keyword) = SHORT[slot(word)];
        (known == word && word != 0).then_some((keyword, len + 1))
    }

    /// The keyword that a word is, in any case.
    pub(super) fn read(word: &str) -> Option<Self> {
        // Nearly all are written so.
        Some(match word {
            "ADD" => Self::Add,
            "ARG" => Self::Arg,
            "CMD" => Self::Cmd,
            "COPY" => Self::Copy,
            "ENTRYPOINT" => Self::Entrypoint,
            "ENV" => Self::Env,
            "EXPOSE" => Self::Expose,
            "FROM" => Self::From,
            "HEALTHCHECK" => Self::Healthcheck,
            "LABEL" => Self::Label,
            "RUN" => Self::Run,
            "USER" => Self::User,
            "VOLUME" => Self::Volume,
            "WORKDIR" => Self::Workdir,
            _ => return Self::read_slowly(word),
        })
    }

    fn read_slowly(word: &str) -> Option<Self> {
        let same = |k: &Self| k.as_str().eq_ignore_ascii_case(word);
        if word.is_ascii() {
            return Self::ALL.into_iter().find(same);
        }
        // Beyond ASCII too: the Kelvin sign is a `k` in lower case.
        let lower = word.to_lowercase();
        let same = |k: &Self| k.as_str().to_ascii_lowercase() == lower;
        Self::ALL.into_iter().find(same)
    }

    /// What an instruction without the arguments it needs could look like.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Add => "write `ADD source destination`",
            Self::Arg => "write `ARG name` or `ARG name=default`",
            Self::Copy => "write `COPY source destination`",
            Self::Expose => "write `EXPOSE 8080` or `EXPOSE 53/udp`",
            Self::Healthcheck => "write `HEALTHCHECK CMD command` or `HEALTHCHECK NONE`",
            Self::Maintainer => "write `MAINTAINER name`, or better a LABEL",
            Self::Onbuild => "write `ONBUILD RUN command`",
            Self::Shell => "write `SHELL [\"/bin/sh\", \"-c\"]`",
            Self::Stopsignal => "write `STOPSIGNAL SIGTERM`",
            Self::User => "write `USER name`",
            Self::Volume => "write `VOLUME /path`",
            Self::Workdir => "write `WORKDIR /path`",
            Self::Env | Self::Label => "write `name=value`",
            // These need nothing, or say it themselves.
            Self::Cmd | Self::Entrypoint | Self::From | Self::Run => "write the command",
        }
    }
}

/// In the order of [`Keyword`].
const NAMES: [&str; Keyword::ALL.len()] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// One in every byte.
const EACH: u64 = u64::MAX / 0xff;

/// Keywords of up to seven letters as numbers, each in a slot of its own.
static SHORT: [(u64, Keyword); 64] = {
    let mut out = [(0, Keyword::Add); 64];
    let mut n = 0;
    while n < Keyword::ALL.len() {
        let name = Keyword::ALL[n].as_str().as_bytes();
        let mut word = 0;
        let mut at = 0;
        while at < name.len() && name.len() < 8 {
            word |= (name[at] as u64) << (8 * at);
            at += 1;
        }
        if word != 0 {
            assert!(out[slot(word)].0 == 0, "two keywords in one slot");
            out[slot(word)] = (word, Keyword::ALL[n]);
        }
        n += 1;
    }
    out
};

/// Where a short keyword stands among them; the factor was tried out.
const fn slot(word: u64) -> usize {
    (word.wrapping_mul(FACTOR) >> 58) as usize
}

const FACTOR: u64 = 0x1027c4d1c386bbc5;

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_keywords_are_known_at_once() {
        for keyword in Keyword::ALL {
            let name = keyword.as_str();
            let line = format!("{name} x");
            let found = Keyword::at_start(line.as_bytes());
            let wanted = (name.len() < 8).then_some((keyword, name.len() + 1));
            assert_eq!(found, wanted.filter(|_| line.len() >= 8), "{line}");
            let found = Keyword::at_start(format!("{line} and more").as_bytes());
            assert_eq!(found, wanted, "{line}");
            for other in [
                "  x and more",
                "\tx and more",
                "S x and more",
                " \u{a0}more",
            ] {
                let line = format!("{name}{other}");
                assert_eq!(Keyword::at_start(line.as_bytes()), None, "{line}");
            }
        }
        for line in [
            "",
            "run make all",
            " RUN make",
            "\u{80}RUN make all",
            "AR\0 make all",
        ] {
            assert_eq!(Keyword::at_start(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn every_keyword_is_read_in_any_case() {
        for keyword in Keyword::ALL {
            for word in [keyword.as_str(), &keyword.as_str().to_lowercase()] {
                assert_eq!(Keyword::read(word), Some(keyword));
            }
            assert_eq!(Keyword::read(&format!("{keyword}S")), None);
            assert_eq!(Keyword::ALL[keyword as usize], keyword);
        }
        assert_eq!(Keyword::read("WOR\u{212a}DIR"), Some(Keyword::Workdir));
        assert_eq!((Keyword::read(""), Keyword::read("é")), (None, None));
    }
}
