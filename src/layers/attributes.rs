//! Owner, group and mode of files, as far as COPY lines and commands tell.
//!
//! Goes in: flags of COPY, arguments of `chown` and `chmod`. Comes out: what a file has then, and whether that may be what it had. Constant
//! time. Invariant: a name and a number are never taken for the same owner, nor for different ones.

use crate::plan::Dest;

/// Owner, group and mode; `None` where they are not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Owner as it was given; `0` for root.
    pub user: Option<String>,
    /// Group.
    pub group: Option<String>,
    /// Permission bits.
    pub mode: Option<u32>,
}

/// Whether something was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changed {
    /// It was so already.
    No,
    /// Nobody can tell.
    Perhaps,
    /// It is another now.
    Yes,
}

/// `root` and `0` are one.
fn id(name: &str) -> String {
    match name {
        "root" => "0".to_owned(),
        other => other.to_owned(),
    }
}

fn number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit())
}

fn differs(old: Option<&str>, new: &str) -> Changed {
    match old {
        Some(old) if old == new => Changed::No,
        // No other name is root's, so far as images go.
        Some(old) if number(old) == number(new) || old == "0" || new == "0" => Changed::Yes,
        _ => Changed::Perhaps,
    }
}

impl Attributes {
    /// Of what a COPY brings; `mode` is what it has in the context.
    #[must_use]
    pub fn brought(dest: Option<&Dest>, mode: Option<u32>) -> Self {
        let owner = dest.and_then(|d| d.owner.as_deref());
        let (user, group) = match owner {
            None => (Some("0".to_owned()), Some("0".to_owned())),
            Some(owner) => match owner.split_once(':') {
                Some((user, group)) => (Some(id(user)), Some(id(group))),
                None => (Some(id(owner)), number(owner).then(|| owner.to_owned())),
            },
        };
        let asked = dest.and_then(|d| d.mode.as_deref());
        Self {
            user,
            group,
            mode: match asked {
                None => mode,
                Some(text) => mode.and_then(|m| with_mode(m, text, false)),
            },
        }
    }

    /// Follows `chown USER[:GROUP]`, or `chgrp GROUP` where `group` is set.
    pub fn own(&mut self, who: &str, group: bool) -> Changed {
        // Whose that is only the shell knows.
        if who.contains(['$', '`']) {
            (self.user, self.group) = (None, None);
            return Changed::Perhaps;
        }
        let (user, group) = match (group, who.split_once([':', '.'])) {
            (true, _) => (None, Some(who)),
            (false, Some((user, group))) => (Some(user), Some(group)),
            (false, None) => (Some(who), None),
        };
        let mut changed = Changed::No;
        for (slot, new) in [(&mut self.user, user), (&mut self.group, group)] {
            let Some(new) = new.filter(|n| !n.is_empty()).map(id) else {
                continue;
            };
            changed = changed.max(differs(slot.as_deref(), &new));
            *slot = Some(new);
        }
        changed
    }

    /// Follows `chmod MODE`.
    pub fn change_mode(&mut self, text: &str, folder: bool) -> Changed {
        let new = self.mode.and_then(|m| with_mode(m, text, folder));
        let changed = match (self.mode, new) {
            (Some(old), Some(new)) if old == new => Changed::No,
            (Some(_), Some(_)) => Changed::Yes,
            _ => Changed::Perhaps,
        };
        self.mode = new.or_else(|| octal(text));
        changed
    }
}

fn octal(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
    u32::from_str_radix(text, 8).ok().filter(|_| digits)
}

/// A mode after `chmod`; `None` for words that are not read here.
pub fn with_mode(mode: u32, text: &str, folder: bool) -> Option<u32> {
    if let Some(mode) = octal(text) {
        return Some(mode);
    }
    let mut mode = mode;
    for clause in text.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let (who, rest) = clause.split_at(at);
        // Without anybody the umask counts, which leaves what root's usual 022 does.
        let open = who.is_empty();
        let mut whom = 0;
        for c in who.chars() {
            whom |= match c {
                'u' => 0o700,
                'g' => 0o070,
                'o' => 0o007,
                'a' => 0o777,
                _ => return None,
            };
        }
        let mut bits = 0;
        for c in rest[1..].chars() {
            bits |= match c {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if folder || mode & 0o111 != 0 => 0o111,
                'X' => 0,
                _ => return None,
            };
        }
        let (whom, bits) = match open {
            true => (0o777, bits & !0o022),
            false => (whom, bits),
        };
        mode = match rest.as_bytes()[0] {
            b'+' => mode | bits & whom,
            b'-' => mode & !(bits & whom),
            _ => mode & !whom | bits & whom,
        };
    }
    Some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_followed() {
        for (old, text, folder, new) in [
            (0o644, "755", false, Some(0o755)),
            (0o644, "0600", false, Some(0o600)),
            (0o644, "+x", false, Some(0o755)),
            (0o644, "u+x,go-r", false, Some(0o700)),
            (0o644, "a=rX", false, Some(0o444)),
            (0o644, "a=rX", true, Some(0o555)),
            (0o755, "-w", false, Some(0o555)),
            (0o644, "u+s", false, None),
            (0o644, "x", false, None),
            (0o644, "999", false, None),
            (0o644, "", false, None),
        ] {
            assert_eq!(with_mode(old, text, folder), new, "{old:o} {text}");
        }
    }

    #[test]
    fn owners_are_followed() {
        let mut file = Attributes::brought(None, Some(0o644));
        for (who, group, changed) in [
            ("root", false, Changed::No),
            ("0:root", false, Changed::No),
            ("1000:1000", false, Changed::Yes),
            ("1000", true, Changed::No),
            ("app", false, Changed::Perhaps),
            ("root", false, Changed::Yes),
            ("app", false, Changed::Yes),
            ("app:1000", false, Changed::No),
            ("web", false, Changed::Yes),
            (":1001", false, Changed::Yes),
        ] {
            assert_eq!(file.own(who, group), changed, "{who}");
        }
        assert_eq!(file.change_mode("644", false), Changed::No);
        assert_eq!(file.change_mode("g+w", false), Changed::Yes);
        assert_eq!(file.change_mode("u+s", false), Changed::Perhaps);
    }
}
