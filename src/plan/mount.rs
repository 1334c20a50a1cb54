//! `RUN --mount` options.
//!
//! Goes in: the flag's value after variable expansion. Comes out: a [`Mount`] or a message. The
//! rules are those of the frontend's mount parser (grammar section 8).

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

/// One mount of a RUN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Kind.
    pub kind: MountType,
    /// Target as written.
    pub target: Option<String>,
    /// Source path, or a secret's id given as source.
    pub source: Option<String>,
    /// Stage, named context or image.
    pub from: Option<String>,
    /// Explicit `ro` or `rw`.
    pub read_only: Option<bool>,
    /// `id`.
    pub id: Option<String>,
    /// `sharing`, lower-cased.
    pub sharing: Option<String>,
    /// `mode`, `uid`, `gid`, `size`, `required`, `env`, as written and in this order.
    pub extra: [Option<String>; 6],
}

const EXTRA: [&str; 6] = ["mode", "uid", "gid", "size", "required", "env"];

/// Splits one CSV record; a field may be double-quoted.
fn fields(text: &str) -> Result<Vec<String>, String> {
    let mut out = vec![String::new()];
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        let Some(field) = out.last_mut() else { break };
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            '"' => return Err("bare \" in non-quoted field".to_owned()),
            ',' if !quoted => out.push(String::new()),
            _ => field.push(c),
        }
    }
    if quoted {
        return Err("extraneous or missing \" in quoted field".to_owned());
    }
    Ok(out)
}

/// Parses the value of one `--mount`.
///
/// # Errors
/// A sentence like the builder's when a key or value is not known.
pub fn parse(value: &str) -> Result<Mount, String> {
    let mut mount = Mount {
        kind: MountType::Bind,
        target: None,
        source: None,
        from: None,
        read_only: None,
        id: None,
        sharing: None,
        extra: Default::default(),
    };
    for field in fields(value)? {
        let (key, val) = match field.split_once('=') {
            Some((k, v)) => (k.to_ascii_lowercase(), Some(v.to_owned())),
            None => (field.to_ascii_lowercase(), None),
        };
        let flag = match val.as_deref() {
            None => Ok(true),
            Some(v) if v.eq_ignore_ascii_case("true") || v == "1" => Ok(true),
            Some(v) if v.eq_ignore_ascii_case("false") || v == "0" => Ok(false),
            Some(v) => Err(format!("invalid value for {key}: {v}")),
        };
        match (key.as_str(), val) {
            ("ro" | "readonly", _) => mount.read_only = Some(flag?),
            ("rw" | "readwrite", _) => mount.read_only = Some(!flag?),
            ("required", v) => {
                flag?;
                mount.extra[4] = Some(v.unwrap_or_else(|| "true".to_owned()));
            }
            (_, None) => return Err(format!("invalid field '{field}' must be a key=value pair")),
            ("type", Some(v)) => {
                mount.kind = match v.to_ascii_lowercase().as_str() {
                    "bind" => MountType::Bind,
                    "cache" => MountType::Cache,
                    "tmpfs" => MountType::Tmpfs,
                    "secret" => MountType::Secret,
                    "ssh" => MountType::Ssh,
                    _ => return Err(format!("unsupported mount type {v:?}")),
                };
            }
            ("target" | "dst" | "destination", v) => mount.target = v,
            ("source" | "src", v) => mount.source = v,
            ("from", v) => mount.from = v,
            ("id", v) => mount.id = v,
            ("sharing", Some(v)) => {
                let v = v.to_ascii_lowercase();
                if !matches!(v.as_str(), "shared" | "private" | "locked") {
                    return Err(format!("unsupported sharing value {v:?}"));
                }
                mount.sharing = Some(v);
            }
            (key, v) => match EXTRA.iter().position(|e| *e == key) {
                Some(i) => mount.extra[i] = v,
                None => return Err(format!("unexpected key '{key}' in '{field}'")),
            },
        }
    }
    Ok(mount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_usual_forms() {
        let m = parse("type=cache,target=/root/.npm,sharing=LOCKED").unwrap();
        assert_eq!(
            (m.kind, m.target.as_deref()),
            (MountType::Cache, Some("/root/.npm"))
        );
        assert_eq!(m.sharing.as_deref(), Some("locked"));
        let m = parse("target=/x").unwrap();
        assert_eq!((m.kind, m.source), (MountType::Bind, None));
        let m = parse(r#"type=bind,"source=a,b",dst=/y,rw"#).unwrap();
        assert_eq!(
            (m.source.as_deref(), m.read_only),
            (Some("a,b"), Some(false))
        );
        assert!(parse("type=zip").is_err());
        assert!(parse("target").is_err());
        assert!(parse("colour=red").is_err());
    }
}
