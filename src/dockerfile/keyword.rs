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
        match self {
            Self::Add => "ADD",
            Self::Arg => "ARG",
            Self::Cmd => "CMD",
            Self::Copy => "COPY",
            Self::Entrypoint => "ENTRYPOINT",
            Self::Env => "ENV",
            Self::Expose => "EXPOSE",
            Self::From => "FROM",
            Self::Healthcheck => "HEALTHCHECK",
            Self::Label => "LABEL",
            Self::Maintainer => "MAINTAINER",
            Self::Onbuild => "ONBUILD",
            Self::Run => "RUN",
            Self::Shell => "SHELL",
            Self::Stopsignal => "STOPSIGNAL",
            Self::User => "USER",
            Self::Volume => "VOLUME",
            Self::Workdir => "WORKDIR",
        }
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

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
