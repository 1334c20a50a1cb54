//! The words of a command line: options, and what is left.
//!
//! Goes in: arguments, and the options that are known. Comes out: [`Words`], or the option that is not known.
//! Invariant: an option that nobody listed is a reason; a value never counts as an operand.

/// Options of a tool, as they are written: `-g`, `--global`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// Those without a value; they may have one behind `=`, which is then `true` or `false`.
    pub flags: &'static [&'static str],
    /// Those with a value, behind `=` or in the next word.
    pub valued: &'static [&'static str],
}

/// A command line.
#[derive(Clone, Debug, Default)]
pub(super) struct Words<'a> {
    /// What is no option, in order.
    pub operands: Vec<&'a str>,
    options: Vec<(&'a str, Option<&'a str>)>,
}

impl<'a> Words<'a> {
    /// Takes arguments apart.
    ///
    /// # Errors
    /// An option that is not known, or lacks its value.
    pub(super) fn parse(arguments: &'a [String], known: &Options) -> Result<Self, String> {
        let mut out = Self::default();
        let mut words = arguments.iter().map(String::as_str);
        while let Some(word) = words.next() {
            if word == "--" {
                out.operands.extend(words.by_ref());
            } else if !word.starts_with('-') || word == "-" {
                out.operands.push(word);
            } else if let Some((name, value)) = word.split_once('=')
                && word.starts_with("--")
            {
                out.long(name, value, known)?;
            } else if known.flags.contains(&word) {
                out.options.push((word, None));
            } else if known.valued.contains(&word) {
                let value = words.next().ok_or_else(|| format!("{word} has no value"))?;
                out.options.push((word, Some(value)));
            } else {
                out.cluster(word, known)?;
            }
        }
        Ok(out)
    }

    fn long(&mut self, name: &'a str, value: &'a str, known: &Options) -> Result<(), String> {
        let flips = matches!(value, "true" | "false");
        if known.valued.contains(&name) || (known.flags.contains(&name) && flips) {
            self.options.push((name, Some(value)));
            return Ok(());
        }
        Err(format!("what {name}={value} does is not known"))
    }

    /// `-rfile` is an option with its value, `-qq` two flags.
    fn cluster(&mut self, word: &'a str, known: &Options) -> Result<(), String> {
        let unknown = || format!("option {word} is not known");
        let name = word.get(..2).ok_or_else(unknown)?;
        if name != "--" && known.valued.contains(&name) {
            let value = word.get(2..).unwrap_or_default();
            self.options.push((name, Some(value)));
            return Ok(());
        }
        let is_flag = |c: char| known.flags.iter().any(|f| f.len() == 2 && f.ends_with(c));
        let letters = word.get(1..).unwrap_or_default();
        if !letters.is_ascii() || letters.starts_with('-') || !letters.chars().all(is_flag) {
            return Err(unknown());
        }
        for letter in letters.chars() {
            let flag = known
                .flags
                .iter()
                .find(|f| f.len() == 2 && f.ends_with(letter));
            self.options.extend(flag.map(|f| (*f, None)));
        }
        Ok(())
    }

    /// Whether one of these is given, and the last of them is not `false`.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        let last = self.options.iter().rfind(|(n, _)| names.contains(n));
        last.is_some_and(|(_, value)| *value != Some("false"))
    }

    /// Values of these options, in order.
    pub(super) fn values(&self, names: &[&str]) -> Vec<&'a str> {
        let one = |(name, value): &(&'a str, Option<&'a str>)| match names.contains(name) {
            true => *value,
            false => None,
        };
        self.options.iter().filter_map(one).collect()
    }

    /// The last of them.
    pub(super) fn value(&self, names: &[&str]) -> Option<&'a str> {
        self.values(names).last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::{Options, Words};

    const KNOWN: Options = Options {
        flags: &["-q", "-v", "--quiet"],
        valued: &["-r", "--file"],
    };

    #[test]
    fn options_are_told_from_operands() {
        let parse = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            match Words::parse(&words, &KNOWN) {
                Ok(w) => format!(
                    "{} {:?} {:?}",
                    w.has(&["-q", "--quiet"]),
                    w.values(&["-r", "--file"]),
                    w.operands
                ),
                Err(why) => why,
            }
        };
        for (line, expected) in [
            ("-qv a --file=x -r y", r#"true ["x", "y"] ["a"]"#),
            ("--quiet=false -rx -- -q", r#"false ["x"] ["-q"]"#),
            ("--file", "--file has no value"),
            ("--quiet=x", "what --quiet=x does is not known"),
            ("-qx", "option -qx is not known"),
            ("--frob", "option --frob is not known"),
            ("-ä", "option -ä is not known"),
        ] {
            assert_eq!(parse(line), expected, "{line}");
        }
    }
}
