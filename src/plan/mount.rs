//! `RUN --mount` options.
//!
//! Goes in: the flag's value as written and a way to expand variables. Comes out: a [`Mount`] or a
//! message. Costs one pass. Source of the rules: grammar section 8; fields are split before variables
//! are expanded, and some checks depend on the order of the fields.

use crate::dockerfile::check::truth;

/// Kind of mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MountType {
    /// Files of the context, a stage or an image.
    Bind,
    /// A folder kept between builds.
    Cache,
    /// Memory.
    Tmpfs,
    /// A secret file or variable.
    Secret,
    /// An agent socket.
    Ssh,
}

impl MountType {
    fn name(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Cache => "cache",
            Self::Tmpfs => "tmpfs",
            Self::Secret => "secret",
            Self::Ssh => "ssh",
        }
    }
}

/// One mount of a RUN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Kind.
    pub kind: MountType,
    /// Target as written; empty without one.
    pub target: String,
    /// Source path, or a secret's id given as source; empty without one.
    pub source: String,
    /// Stage, named context or image; empty without one.
    pub from: String,
    /// Whether the RUN cannot write to it: as given, else the kind's default.
    pub read_only: bool,
    /// `id`, empty without one.
    pub id: String,
    /// `sharing`, lower-cased.
    pub sharing: Option<String>,
    /// `mode`.
    pub mode: Option<u64>,
    /// `uid`.
    pub uid: Option<u64>,
    /// `gid`.
    pub gid: Option<u64>,
    /// `size` of a tmpfs in bytes.
    pub size: u64,
    /// `required` of a secret or agent.
    pub required: bool,
    /// `env` of a secret.
    pub env: Option<String>,
}

impl Mount {
    /// Whether owner or mode are given: the builder then makes the folder in a step of its own.
    #[must_use]
    pub fn has_owner(&self) -> bool {
        self.mode.is_some() || self.uid.is_some() || self.gid.is_some()
    }
}

const KEYS: [&str; 19] = [
    "type",
    "from",
    "source",
    "src",
    "target",
    "dst",
    "destination",
    "readonly",
    "ro",
    "readwrite",
    "rw",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "env",
];

/// Splits one CSV record; a field may be double-quoted.
pub fn fields(text: &str) -> Result<Vec<String>, String> {
    let mut out = vec![String::new()];
    let mut chars = text.chars().peekable();
    let (mut quoted, mut closed) = (false, false);
    while let Some(c) = chars.next() {
        let Some(field) = out.last_mut() else { break };
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted => (quoted, closed) = (false, true),
            ',' if !quoted => {
                out.push(String::new());
                closed = false;
            }
            _ if closed => return Err("a quoted field goes on after its quote".to_owned()),
            '"' if field.is_empty() => quoted = true,
            '"' if !quoted => return Err("a quote stands inside a field".to_owned()),
            _ => field.push(c),
        }
    }
    if quoted {
        return Err("a quote is not closed".to_owned());
    }
    Ok(out)
}

/// The `from` of a mount, before anything is expanded; empty without one. The builder looks at it
/// in every stage, also in those the target does not need.
///
/// # Errors
/// When the fields can't be told apart, or `from` holds a variable.
pub fn from(value: &str) -> Result<String, String> {
    let mut from = String::new();
    for field in fields(value)? {
        if let Some((key, name)) = field.split_once('=')
            && key.eq_ignore_ascii_case("from")
        {
            if name.find('$').is_some_and(|at| at + 1 != name.len()) {
                return Err(
                    "`from` takes no variables; name a stage with FROM and use it".to_owned(),
                );
            }
            name.clone_into(&mut from);
        }
    }
    Ok(from)
}

/// Parses the value of one `--mount`.
///
/// # Errors
/// A sentence that says which field is wrong.
pub fn parse(
    value: &str,
    expand: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<Mount, String> {
    let mut mount = Mount {
        kind: MountType::Bind,
        target: String::new(),
        source: String::new(),
        from: String::new(),
        read_only: true,
        id: String::new(),
        sharing: None,
        mode: None,
        uid: None,
        gid: None,
        size: 0,
        required: false,
        env: None,
    };
    let mut read_only = None;
    for field in fields(value)? {
        match field.split_once('=') {
            None => bare(&field, &mut mount, &mut read_only)?,
            Some((key, text)) => {
                let text = expand(text)?;
                pair(
                    &key.to_ascii_lowercase(),
                    text,
                    &field,
                    &mut mount,
                    &mut read_only,
                )?;
            }
        }
    }
    let writable = matches!(mount.kind, MountType::Cache | MountType::Tmpfs);
    mount.read_only = read_only.unwrap_or(!writable);
    whole(&mount)?;
    Ok(mount)
}

/// A field without `=`.
fn bare(field: &str, mount: &mut Mount, read_only: &mut Option<bool>) -> Result<(), String> {
    match field.to_ascii_lowercase().as_str() {
        "readonly" | "ro" => *read_only = Some(true),
        "readwrite" | "rw" => *read_only = Some(false),
        "required" => {
            requirable("required", mount.kind)?;
            mount.required = true;
        }
        _ => return Err(format!("`{field}` must be of the form key=value")),
    }
    Ok(())
}

fn pair(
    key: &str,
    value: String,
    field: &str,
    mount: &mut Mount,
    read_only: &mut Option<bool>,
) -> Result<(), String> {
    match key {
        "type" => {
            mount.kind = match value.to_lowercase().as_str() {
                "bind" => MountType::Bind,
                "cache" => MountType::Cache,
                "tmpfs" => MountType::Tmpfs,
                "secret" => MountType::Secret,
                "ssh" => MountType::Ssh,
                _ => {
                    return Err(format!(
                        "`{value}` is no type of mount: it is bind, cache, tmpfs, secret or ssh"
                    ));
                }
            }
        }
        "from" => mount.from = value,
        "source" | "src" => mount.source = value,
        "target" | "dst" | "destination" => mount.target = value,
        "readonly" | "ro" => *read_only = Some(boolean(key, &value)?),
        "readwrite" | "rw" => *read_only = Some(!boolean(key, &value)?),
        "required" => {
            requirable(key, mount.kind)?;
            mount.required = boolean(key, &value)?;
        }
        "size" if mount.kind == MountType::Tmpfs => {
            mount.size = bytes(&value).ok_or_else(|| format!("`{value}` is no size"))?;
        }
        "size" => return Err(format!("a {} mount has no size", mount.kind.name())),
        "id" => mount.id = value,
        "sharing" => {
            let mode = value.to_lowercase();
            if !matches!(mode.as_str(), "shared" | "private" | "locked") {
                return Err(format!(
                    "`{value}` is no way of sharing: it is shared, private or locked"
                ));
            }
            mount.sharing = Some(mode);
        }
        "mode" => mount.mode = Some(number(key, &value, 8)?),
        "uid" => mount.uid = Some(number(key, &value, 10)?),
        "gid" => mount.gid = Some(number(key, &value, 10)?),
        "env" => mount.env = Some(value),
        _ => {
            let near = crate::dockerfile::nearest(key, KEYS.iter().copied());
            let near = near.map_or(String::new(), |k| format!(", did you mean `{k}`?"));
            return Err(format!("unknown key `{key}` in `{field}`{near}"));
        }
    }
    Ok(())
}

/// What can only be told when all fields are known.
fn whole(mount: &Mount) -> Result<(), String> {
    let kind = mount.kind.name();
    if matches!(mount.kind, MountType::Bind | MountType::Tmpfs) {
        let given = [("mode", mount.mode), ("uid", mount.uid), ("gid", mount.gid)];
        if let Some((key, _)) = given.iter().find(|(_, v)| v.is_some()) {
            return Err(format!("a {kind} mount takes no {key}"));
        }
    }
    if mount.kind == MountType::Secret {
        if !mount.from.is_empty() {
            return Err("a secret mount takes no from".to_owned());
        }
        if mount.sharing.is_some() {
            return Err("a secret mount takes no sharing".to_owned());
        }
        if mount.source.is_empty() && mount.target.is_empty() && mount.id.is_empty() {
            return Err("a secret mount needs an id or a target".to_owned());
        }
        if !mount.source.is_empty() && !mount.id.is_empty() {
            return Err("a secret mount takes id or source, not both".to_owned());
        }
    }
    if mount.sharing.is_some() && mount.kind != MountType::Cache {
        return Err(format!("a {kind} mount takes no sharing"));
    }
    if mount.kind == MountType::Ssh && !mount.source.is_empty() {
        return Err("an ssh mount takes no source".to_owned());
    }
    Ok(())
}

fn requirable(key: &str, kind: MountType) -> Result<(), String> {
    match kind {
        MountType::Secret | MountType::Ssh => Ok(()),
        // The builder knows only the type it has read so far.
        _ => Err(format!(
            "`{key}` is for secret and ssh mounts, whose type must stand before it"
        )),
    }
}

fn boolean(key: &str, value: &str) -> Result<bool, String> {
    truth(value).ok_or_else(|| format!("`{value}` is neither true nor false, for `{key}`"))
}

fn number(key: &str, value: &str, radix: u32) -> Result<u64, String> {
    let plain = value.bytes().all(|b| b.is_ascii_digit());
    u32::from_str_radix(value, radix)
        .ok()
        .filter(|_| plain)
        .map(u64::from)
        .ok_or_else(|| format!("`{value}` is no number for `{key}`"))
}

/// `64m`, `1.5 GiB`; steps of 1024.
pub fn bytes(text: &str) -> Option<u64> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (count, unit) = (text[..end].parse::<f64>().ok()?, &text[end..]);
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let power = match unit.strip_suffix('i').unwrap_or(unit) {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    let total = count * 1024f64.powi(power);
    // Beyond what any machine has; the cast below must not saturate silently.
    (total < 1e18).then_some(total as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Mount, String> {
        parse(value, &mut |text| Ok(text.replace("$V", "value,1")))
    }

    #[test]
    fn reads_the_usual_forms() {
        let m = read("type=cache,target=/root/.npm,sharing=LOCKED").unwrap();
        assert_eq!(
            (m.kind, m.target.as_str()),
            (MountType::Cache, "/root/.npm")
        );
        assert_eq!((m.sharing.as_deref(), m.read_only), (Some("locked"), false));
        let m = read("target=/x").unwrap();
        assert_eq!(
            (m.kind, m.source.as_str(), m.read_only),
            (MountType::Bind, "", true)
        );
        let m = read(r#"type=bind,"source=a,b",dst=/y,rw"#).unwrap();
        assert_eq!((m.source.as_str(), m.read_only), ("a,b", false));
        let m = read("type=tmpfs,target=/t,size=1.5KiB").unwrap();
        assert_eq!(m.size, 1536);
        let m = read("type=secret,id=a,env=A,mode=0440,required").unwrap();
        assert_eq!((m.mode, m.required), (Some(0o440), true));
    }

    #[test]
    fn a_comma_in_a_variable_stays_in_its_field() {
        assert_eq!(read("source=$V,target=/x").unwrap().source, "value,1");
    }

    #[test]
    fn what_the_builder_refuses() {
        for value in [
            "type=zip",
            "target",
            "colour=red",
            "type=cache,target=/x,sharing=sometimes",
            "target=/x,sharing=shared",
            "type=bind,target=/x,mode=0755",
            "type=tmpfs,target=/x,uid=1",
            "required,type=secret,id=a",
            "size=1m,type=tmpfs,target=/x",
            "type=secret",
            "type=secret,id=a,source=b",
            "type=secret,id=a,from=b",
            "type=ssh,source=b",
            "type=cache,target=/x,mode=9",
            "type=cache,target=/x,uid=-1",
            "type=cache,target=/x,ro=maybe",
            "type=tmpfs,target=/x,size=much",
            r#"target="/x""#,
            r#""target=/x"y"#,
            r#""target=/x"#,
        ] {
            assert!(read(value).is_err(), "{value}");
        }
    }

    #[test]
    fn from_takes_no_variable() {
        assert_eq!(from("type=bind,From=base,target=/x"), Ok("base".to_owned()));
        assert_eq!(from("target=/x"), Ok(String::new()));
        assert!(from("from=$BASE").is_err());
        assert_eq!(from("from=base$"), Ok("base$".to_owned()));
    }
}
