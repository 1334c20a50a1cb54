//! Small tools of the system: certificates, libraries, locales, services, capabilities, special files.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Spec, parse};
use super::{Call, Described, common};

/// What each does; options beyond these are a reason.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    match call.name {
        "update-ca-certificates" | "update-ca-trust" => certificates(call),
        "ldconfig" => ldconfig(call),
        "locale-gen" | "localedef" | "update-locale" => locales(call),
        "systemctl" => systemctl(call),
        "update-rc.d" | "rc-update" | "chkconfig" => {
            call.claims.write_all(&["/etc"]);
            call.claims
                .assume(format!("{} touches only /etc", call.name));
            Ok(())
        }
        "setcap" | "getcap" => capabilities(call),
        "mkfifo" | "mknod" => special_file(call),
        "getent" => {
            if call
                .arguments
                .first()
                .and_then(Argument::known)
                .is_none_or(|d| d.contains("hosts"))
            {
                call.claims.network = true;
            }
            Ok(())
        }
        "locale" => Ok(()),
        "phpenmod" | "phpdismod" => php_modules(call),
        name if name.starts_with("a2") => apache(call),
        _ => Err("what it reads and writes is not known".to_string()),
    }
}

fn certificates(call: &mut Call<'_>) -> Described {
    let plain = |a: &Argument| {
        matches!(
            a.known(),
            Some(
                "--fresh"
                    | "-f"
                    | "--verbose"
                    | "-v"
                    | "extract"
                    | "enable"
                    | "check"
                    | "force-enable"
            )
        )
    };
    if let Some(bad) = call.arguments.iter().find(|a| !plain(a)) {
        return Err(format!("option {} is not known", bad.shown()));
    }
    // Debian's work in a temporary file; a hook for Java is below /etc as well.
    call.claims.write_all(&[
        "/etc/ca-certificates",
        "/etc/pki",
        "/etc/ssl",
        "/tmp",
        "/usr/share/pki",
    ]);
    call.claims.assume(format!(
        "{} and its hooks write only to /etc/ssl, /etc/pki, /etc/ca-certificates and /tmp",
        call.name
    ));
    Ok(())
}

/// Debian's switches of sites, modules and settings: links between two folders of `/etc/apache2`, and marks beside.
fn apache(call: &mut Call<'_>) -> Described {
    call.refuse(|n| n == "APACHE_STATEDIR")?;
    match call.shell.lookup("APACHE_CONFDIR").as_deref() {
        Some("/etc/apache2") => {}
        _ => call.refuse(|n| n == "APACHE_CONFDIR")?,
    }
    let odd = |a: &&Argument| a.known().is_none_or(|t| t.contains('/'));
    if let Some(argument) = call.arguments.iter().find(odd) {
        return Err(format!("argument {} is not known", argument.shown()));
    }
    call.claims.write_all(&["/etc/apache2", "/var/lib/apache2"]);
    call.claims.assume(format!(
        "{} touches only /etc/apache2 and /var/lib/apache2",
        call.name
    ));
    Ok(())
}

/// Debian's switches of PHP's modules: links in the `conf.d` of each interpreter, and marks beside.
fn php_modules(call: &mut Call<'_>) -> Described {
    let spec = Spec {
        letters: "qf",
        letters_with_value: "vsm",
        ..Spec::default()
    };
    let parsed = parse(call.arguments, &spec)?;
    let odd = |t: &&&str| t.contains('/');
    if let Some(module) = common::texts(&parsed.operands)?.iter().find(odd) {
        return Err(format!("argument {module} is not known"));
    }
    call.claims.read(Extent::Subtree, "/var/lib/php");
    call.claims.write_all(&["/etc/php", "/run", "/var/lib/php"]);
    call.claims.assume(format!(
        "{} touches only /etc/php, /var/lib/php and /run",
        call.name
    ));
    Ok(())
}

fn ldconfig(call: &mut Call<'_>) -> Described {
    let spec = Spec {
        letters: "vXNnl",
        names: &["verbose"],
        ..Spec::default()
    };
    let parsed = parse(call.arguments, &spec)?;
    for directory in &parsed.operands {
        call.read(directory, Extent::Subtree)?;
        call.write(directory, Extent::Subtree)?;
    }
    // The files of /etc/ld.so.conf.d name further directories.
    call.claims.read(Extent::Subtree, "/opt");
    call.claims.write_all(&[
        "/etc/ld.so.cache",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/usr/lib",
        "/usr/lib32",
        "/usr/lib64",
        "/usr/libx32",
        "/usr/local",
        "/var/cache/ldconfig",
    ]);
    call.claims.assume(
        "/etc/ld.so.conf names no directories outside of the system's and /opt, and none whose links change",
    );
    Ok(())
}

fn locales(call: &mut Call<'_>) -> Described {
    if call.name == "localedef" {
        let spec = Spec {
            letters: "cvq",
            letters_with_value: "ifAu",
            names: &["force", "verbose", "quiet", "no-archive"],
            names_with_value: &["inputfile", "charmap", "alias-file"],
        };
        let parsed = parse(call.arguments, &spec)?;
        for file in parsed.values(&["i", "inputfile", "f", "charmap", "A", "alias-file", "u"]) {
            let text = file.known().ok_or("a file is not known")?;
            if text.contains('/') {
                call.read(file, Extent::Exact)?;
            }
        }
        for output in &parsed.operands {
            // A name with a slash is a directory; any other goes to the archive.
            if output.known().is_none_or(|t| t.contains('/')) {
                call.write(output, Extent::Subtree)?;
            }
        }
    } else if let Some(bad) = call.arguments.iter().find(|a| {
        let t = a.start();
        t.starts_with('-')
            && !matches!(t, "--purge" | "--reset" | "--no-checks" | "--keep-existing")
    }) {
        return Err(format!("option {} is not known", bad.shown()));
    }
    call.claims.read(Extent::Subtree, "/var/lib/locales");
    call.claims.write_all(&[
        "/etc/default",
        "/etc/locale.conf",
        "/etc/locale.gen",
        "/usr/lib/locale",
        "/usr/share/i18n",
        "/var/lib/locales",
    ]);
    call.claims.assume(format!(
        "{} writes only to /etc, /usr/lib/locale and /var/lib/locales",
        call.name
    ));
    Ok(())
}

fn systemctl(call: &mut Call<'_>) -> Described {
    let spec = Spec {
        letters: "qf",
        names: &["quiet", "force", "no-reload", "global"],
        ..Spec::default()
    };
    let parsed = parse(call.arguments, &spec)?;
    let texts = common::texts(&parsed.operands)?;
    match texts.split_first() {
        Some((&("enable" | "disable" | "mask" | "unmask" | "preset" | "set-default"), units)) => {
            for unit in units.iter().filter(|u| u.contains('/')) {
                call.read(&Argument::Known((*unit).to_string()), Extent::Exact)?;
            }
            call.claims.write_all(&["/etc"]);
            call.claims
                .assume("systemctl changes links and files below /etc alone");
            Ok(())
        }
        Some((&"daemon-reload", _)) => Ok(()),
        _ => Err("it talks to services".to_string()),
    }
}

/// Capabilities are attributes of files.
fn capabilities(call: &mut Call<'_>) -> Described {
    let spec = Spec {
        letters: "qrvn",
        ..Spec::default()
    };
    let removes = call.arguments.iter().any(|a| a.known() == Some("-r"));
    let parsed = parse(call.arguments, &spec)?;
    if call.name == "getcap" {
        let deep = parsed.has(&["r"]);
        let extent = if deep { Extent::Subtree } else { Extent::Exact };
        return parsed
            .operands
            .iter()
            .try_for_each(|f| call.read(f, extent));
    }
    // A set and a file by turns; `-r` stands for a set.
    for (at, operand) in parsed.operands.iter().enumerate() {
        if removes || at % 2 == 1 {
            call.read(operand, Extent::Exact)?;
            call.write(operand, Extent::Exact)?;
        }
    }
    Ok(())
}

fn special_file(call: &mut Call<'_>) -> Described {
    let spec = Spec {
        letters_with_value: "m",
        names_with_value: &["mode"],
        ..Spec::default()
    };
    let parsed = parse(call.arguments, &spec)?;
    // `mknod name type [numbers]`
    let files = match call.name {
        "mknod" => parsed.operands.get(..1).unwrap_or_default(),
        _ => parsed.operands.as_slice(),
    };
    files.iter().try_for_each(|f| call.write(f, Extent::Exact))
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("update-ca-certificates", "", "/usr/share/** /usr/local/**", "/etc/ca-certificates/** /etc/pki/** /etc/ssl/** /tmp/** /usr/share/pki/**"),
        ("update-ca-certificates --certsdir /x", "option --certsdir", "", ""),
        ("a2dissite 000-default.conf && a2enmod rewrite headers && a2enconf docker-php", "", "", "/etc/apache2/** /var/lib/apache2/**"),
        ("a2ensite ../x", "argument ../x", "", ""),
        ("APACHE_CONFDIR=/x a2enmod rewrite", "APACHE_CONFDIR is set", "", ""),
        ("APACHE_CONFDIR=/etc/apache2 a2enmod rewrite", "", "", "/etc/apache2/** /var/lib/apache2/**"),
        ("phpdismod calendar exif", "", "/etc/** /var/lib/php/**", "/etc/php/** /run/** /var/lib/php/**"),
        ("phpenmod -v 8.2 -s fpm opcache", "", "", "/etc/php/** /run/** /var/lib/php/**"),
        ("phpenmod ../x", "argument ../x", "", ""),
        ("phpenmod --frob x", "option --frob", "", ""),
        ("ldconfig", "", "/etc/** /opt/**", "/etc/ld.so.cache/** /lib/** /lib32/** /lib64/** /libx32/** /usr/lib/** /usr/lib32/** /usr/lib64/** /usr/libx32/** /usr/local/** /var/cache/ldconfig/**"),
        ("ldconfig -n /x", "", "/x/**", "/etc/ld.so.cache/** /lib/** /lib32/** /lib64/** /libx32/** /usr/lib/** /usr/lib32/** /usr/lib64/** /usr/libx32/** /usr/local/** /var/cache/ldconfig/** /x/**"),
        ("ldconfig -r /x", "option -r", "", ""),
        ("locale-gen en_US.UTF-8", "", "", "/etc/default/** /etc/locale.conf/** /etc/locale.gen/** /usr/lib/locale/** /usr/share/i18n/** /var/lib/locales/**"),
        ("localedef -i en_US -c -f UTF-8 -A /usr/share/locale/locale.alias en_US.UTF-8", "", "", "/etc/default/** /etc/locale.conf/** /etc/locale.gen/** /usr/lib/locale/** /usr/share/i18n/** /var/lib/locales/**"),
        ("localedef --prefix /x y", "option --prefix", "", ""),
        ("update-locale LANG=C.UTF-8", "", "", "/etc/default/** /etc/locale.conf/** /etc/locale.gen/** /usr/lib/locale/** /usr/share/i18n/** /var/lib/locales/**"),
        ("systemctl enable x.service", "", "", "/etc/**"),
        ("systemctl start x", "talks to services", "", ""),
        ("systemctl enable --now x", "option --now", "", ""),
        ("rc-update add x default", "", "", "/etc/**"),
        ("setcap cap_net_bind_service=+ep /x/y", "", "/x/y", "/x/y"),
        ("setcap -r /x/y", "", "/x/y", "/x/y"),
        ("setcap cap_net_raw+ep $(which ping)", "a path is not known", "", ""),
        ("getcap -r /x", "", "/x/**", ""),
        ("mkfifo -m 600 p q", "", "", "/app/p /app/q"),
        ("mknod -m 666 /x c 1 3", "", "", "/x"),
        ("getent passwd x", "", "/etc/**", ""),
        ("getent hosts x", "", "net", ""),
        ("locale -a", "", "/usr/lib/**", ""),
    ];

    #[test]
    fn the_system_has_its_footprints() {
        check(LINES);
    }
}
