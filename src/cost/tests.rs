use super::*;

fn table(steps: &str) -> Result<CostTable, CostError> {
    CostTable::from_json(&format!(
        "{{\"schema\":\"cacheplan.costs/1\",\n\"steps\":[{steps}]}}"
    ))
}

/// Seconds of the table.
fn prior_of(class: Class) -> f64 {
    PRIORS.iter().find(|p| p.class == class).unwrap().seconds
}

#[test]
fn priors_sum_over_distinct_classes() {
    let t = CostTable::priors();
    for (keyword, classes, seconds) in [
        (
            "RUN",
            vec![Class::Install, Class::Build, Class::Build],
            prior_of(Class::Install) + prior_of(Class::Build),
        ),
        (
            "RUN",
            vec![Class::SystemPackages],
            prior_of(Class::SystemPackages),
        ),
        ("run", vec![], prior_of(Class::Other)),
        ("COPY", vec![], prior_of(Class::Copy)),
        ("ADD", vec![Class::Copy], prior_of(Class::Copy)),
        ("WORKDIR", vec![], prior_of(Class::Workdir)),
        ("FROM", vec![], 0.0),
    ] {
        let cost = t.step(keyword, "x", &classes);
        assert!(
            (cost.seconds - seconds).abs() < 1e-9,
            "{keyword} {classes:?}"
        );
        assert!(cost.seconds_low <= cost.seconds && cost.seconds <= cost.seconds_high);
        assert_eq!(cost.source, CostSource::Prior);
    }
    assert_eq!(t.step("COPY", "a b", &[]).bytes, None);
}

#[test]
fn a_rule_by_text_beats_one_by_class_and_the_rest_are_priors() {
    let t = table(
        r#"{"match":{"keyword":"run","text":" npm ci "},"seconds":{"cold":[10,40],"warm":[1,2]},"bytes":7,"n":3},
           {"match":{"class":"install"},"seconds":{"cold":[45,45]}}"#,
    )
    .unwrap();
    let measured = t.step("RUN", "npm ci", &[Class::Install]);
    assert_eq!(
        (
            measured.seconds,
            measured.seconds_low,
            measured.seconds_high
        ),
        (10.0, 2.5, 40.0)
    );
    assert_eq!(
        (measured.bytes, measured.source),
        (Some(7), CostSource::Measured)
    );
    // As it may have been written in another version of the file.
    let likely = t.step("RUN", "npm  ci --x", &[Class::Install]);
    assert_eq!((likely.seconds, likely.source), (10.0, CostSource::Learned));
    let learned = t.step("RUN", "npm install", &[Class::Install]);
    assert_eq!(
        (learned.seconds, learned.source),
        (45.0, CostSource::Learned)
    );
    let prior = PRIORS.iter().find(|p| p.class == Class::Install).unwrap();
    assert_eq!(learned.bytes, prior.bytes);
    let mixed = t.step("RUN", "y", &[Class::Install, Class::Other]);
    assert_eq!(
        (mixed.seconds, mixed.source),
        (45.0 + prior_of(Class::Other), CostSource::Prior)
    );
}

#[test]
fn files_that_make_no_sense_are_refused_with_their_place() {
    let rule = |r: &str| table(r).map(|_| ()).unwrap_err();
    for (steps, message) in [
        (
            r#"{"match":{"class":"install"},"seconds":{"cold":[-1,2]}}"#,
            "-1 is no number of seconds",
        ),
        (
            r#"{"match":{"class":"install"},"seconds":{"cold":[3,2]}}"#,
            "below the median",
        ),
        (
            r#"{"match":{"class":"install"},"seconds":{"cold":[NaN,2]}}"#,
            "expected",
        ),
        (
            r#"{"match":{"class":"install"},"seconds":{"cold":[1,1e999]}}"#,
            "out of range",
        ),
        (
            r#"{"match":{"class":"installs"},"seconds":{"cold":[1,2]}}"#,
            "unknown class `installs`",
        ),
        (
            r#"{"match":{"text":"x"},"seconds":{"cold":[1,2]}}"#,
            "either `keyword` and `text`",
        ),
        (
            r#"{"match":{"class":"other"},"n":2}"#,
            "a rule states `seconds`, `bytes` or both",
        ),
        (
            r#"{"match":{"class":"other"},"second":{"cold":[1,2]}}"#,
            "unknown field `second`",
        ),
    ] {
        let error = rule(steps);
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(error.position().map(|p| p.0), Some(2), "{error}");
    }
    let twice = r#"{"match":{"class":"other"},"seconds":{"cold":[1,2]}}"#;
    assert_eq!(
        rule(&format!("{twice},{twice}")).to_string(),
        "costs file: two rules for class `other`"
    );
    let schema =
        CostTable::from_json("{\"schema\":\"cacheplan.costs/2\",\"steps\":[]}").unwrap_err();
    assert!(
        schema.to_string().contains("expected `cacheplan.costs/1`"),
        "{schema}"
    );
    assert!(CostTable::from_json("").is_err());
}

/// The page and the table are one statement in two places.
#[test]
fn the_page_states_every_row() {
    let page = include_str!("../../docs/costs.md");
    for prior in PRIORS {
        let bytes = match prior.bytes {
            None => "–".to_string(),
            Some(0) => "0".to_string(),
            Some(b) => format!("{} MB", b / MB),
        };
        let warm = prior.warm.map_or("–".to_string(), |w| w.to_string());
        let row = format!(
            "| `{}` | {} | {} | {} | {warm} | {bytes} | {} |",
            prior.class, prior.seconds, prior.low, prior.high, prior.reason
        );
        assert!(page.contains(&row), "missing: {row}");
    }
    assert_eq!(PRIORS.len(), Class::ALL.len());
}

/// The figure at `q` of the way from the least to the greatest, those between two in proportion.
fn at(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = q * (sorted.len() - 1) as f64;
    let below = place as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

/// Two significant digits.
fn rounded(x: f64) -> f64 {
    let unit = 10f64.powf(x.log10().floor() - 1.0);
    (x / unit + 0.5).floor() * unit
}

/// The table is what the builds of docs/priors.tsv say, by the rules of docs/fit-priors.py.
#[test]
fn the_table_is_what_was_measured() {
    let text = include_str!("../../docs/priors.tsv");
    let lines = text.lines().filter(|l| !l.starts_with('#')).skip(1);
    let rows: Vec<Vec<&str>> = lines.map(|l| l.split('\t').collect()).collect();
    let median = |runs: &str| {
        let seconds: Vec<f64> = runs.split(' ').flat_map(str::parse).collect();
        (!seconds.is_empty()).then(|| at(&seconds, 0.5))
    };
    // The median of each project's steps of a class.
    let by_project = |class: Class, value: &dyn Fn(&[&str]) -> Option<f64>| {
        let mut projects: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for row in rows.iter().filter(|r| r[2] == class.as_str()) {
            if let Some(value) = value(row) {
                projects.entry(row[0]).or_default().push(value);
            }
        }
        let medians: Vec<f64> = projects.values().map(|v| at(v, 0.5)).collect();
        medians
    };
    for prior in PRIORS {
        let is = |what: &str, stated: f64, measured: f64| {
            let near = (stated - measured).abs() < 1e-9 * measured.max(1.0);
            assert!(
                near,
                "{} {what}: {stated}, measured {measured}",
                prior.class
            );
        };
        let seconds = by_project(prior.class, &|row| median(row[5]));
        is("seconds", prior.seconds, rounded(at(&seconds, 0.5)));
        is("low", prior.low, rounded(at(&seconds, 0.1)));
        is("high", prior.high, rounded(at(&seconds, 0.9)));
        let shares = |objects: bool| {
            by_project(prior.class, &|row| {
                let keeps = prior.class == Class::Build && KEEP_OBJECTS.contains(&row[1]);
                let share = median(row[6]).zip(median(row[5])).map(|(w, c)| w / c);
                share.filter(|_| keeps == objects)
            })
        };
        // What is no less is not stated.
        let share = Some(shares(false)).filter(|s| !s.is_empty());
        let share = share.map(|s| rounded(at(&s, 0.5))).filter(|s| *s < 1.0);
        match prior.class {
            Class::Install | Class::Build => {
                let warm = share.map(|s| rounded(prior.seconds * s));
                is("warm", prior.warm.unwrap_or(0.0), warm.unwrap_or(0.0));
            }
            _ => assert_eq!(prior.warm, None),
        }
        if prior.class == Class::Build {
            is(
                "warm, objects kept",
                OBJECTS_WARM,
                rounded(at(&shares(true), 0.5)),
            );
        }
        if let Some(bytes) = prior.bytes {
            let sizes = by_project(prior.class, &|row| row[7].parse().ok());
            let mb = (at(&sizes, 0.5) / MB as f64 + 0.5).floor();
            is("bytes", bytes as f64, mb * MB as f64);
        }
    }
}

#[test]
fn what_is_like_a_step_is_like_it_in_its_work_too() {
    let t = table(
        r#"{"match":{"keyword":"RUN","text":"npm ci"},"seconds":{"cold":[10,12],"warm":[2,2]}},
           {"match":{"keyword":"RUN","text":"mkdir -p /a /b /c"},"seconds":{"cold":[1,1]}},
           {"match":{"keyword":"COPY","text":"a b"},"seconds":{"cold":[7,7]}}"#,
    )
    .unwrap();
    let seconds = |text: &str, classes: &[Class]| {
        let cost = t.step("RUN", text, classes);
        (cost.seconds, cost.source)
    };
    let other = [Class::Other];
    assert_eq!(
        seconds("mkdir -p /a /b /c /d", &other),
        (1.0, CostSource::Learned)
    );
    // Its commands together.
    let both = [Class::Install, Class::Other];
    assert_eq!(
        seconds("npm ci && mkdir -p /a /b /c", &both),
        (11.0, CostSource::Learned)
    );
    // Other work, more commands, too few words in common: priors.
    assert_eq!(
        seconds("npm ci x", &[Class::Install, Class::Build]).1,
        CostSource::Prior
    );
    assert_eq!(
        seconds("npm ci x && npm ci y", &[Class::Install]).1,
        CostSource::Prior
    );
    assert_eq!(seconds("mkdir /d", &other).1, CostSource::Prior);
    assert_eq!(t.step("COPY", "a b c", &[]).source, CostSource::Prior);
}

#[test]
fn what_is_written_is_read_again() {
    let text = r#"{"schema":"cacheplan.costs/1","steps":[
{"match":{"keyword":"RUN","text":"npm ci"},"seconds":{"cold":[10.5,12.0],"warm":[2.0,2.25]},"bytes":7,"n":3},
{"match":{"class":"build"},"seconds":{"cold":[1.0,1.0]},"n":1}
]}
"#;
    let rules = super::rules(text).unwrap();
    assert_eq!(super::write(&rules).unwrap(), text);
    let layers = r#"{"schema":"cacheplan.costs/1","disk":"ext4","steps":[
{"match":{"keyword":"RUN","text":"npm ci"},"bytes":7,"n":3,"bytes_n":3}
]}
"#;
    let file = super::rules(layers).unwrap();
    assert_eq!(super::write(&file).unwrap(), layers);
    assert_eq!(
        super::write(&CostFile::default()).unwrap(),
        "{\"schema\":\"cacheplan.costs/1\",\"steps\":[]}\n"
    );
}

#[test]
fn bytes_and_seconds_come_from_rules_of_their_own() {
    let t = table(
        r#"{"match":{"keyword":"RUN","text":"npm ci"},"bytes":7},
           {"match":{"keyword":"RUN","text":"npm ci --x"},"seconds":{"cold":[9,9]}},
           {"match":{"class":"build"},"bytes":50}"#,
    )
    .unwrap();
    let shown = |text: &str, classes: &[Class]| {
        let c = t.step("RUN", text, classes);
        (
            c.seconds,
            c.source.as_str(),
            c.bytes,
            c.bytes_source.as_str(),
        )
    };
    // Another version of the step tells the bytes.
    assert_eq!(
        shown("npm ci --x", &[Class::Install]),
        (9.0, "measured", Some(7), "learned")
    );
    assert_eq!(
        shown("npm ci", &[Class::Install]),
        (9.0, "learned", Some(7), "measured")
    );
    assert_eq!(
        shown("make", &[Class::Build]),
        (prior_of(Class::Build), "prior", Some(50), "learned")
    );
}

#[test]
fn a_step_between_the_same_neighbours_is_another_version_of_it() {
    use crate::dockerfile::parse;
    use crate::plan::{BuildOptions, lower};
    use crate::source::SourceFile;
    let costs = CostTable::from_json(
        r#"{"schema":"cacheplan.costs/1","steps":[
        {"match":{"keyword":"RUN","text":"npm install --no-audit"},"seconds":{"cold":[7,9]},"between":["COPY package.json ./","COPY . ."]},
        {"match":{"keyword":"RUN","text":"make one"},"seconds":{"cold":[3,3]},"between":["COPY . .",""]},
        {"match":{"keyword":"RUN","text":"make two"},"seconds":{"cold":[4,4]},"between":["COPY . .",""]}]}"#,
    )
    .unwrap();
    let of = |text: &str, nth: usize| {
        let source = SourceFile::new("Dockerfile", text);
        let plan = lower(&parse(&source).tree, &BuildOptions::default());
        let cost = costs.of(&plan.graph[plan.order[nth]]);
        (cost.seconds, cost.source)
    };
    let prior = prior_of;
    let file = |run: &str, below: &str| {
        format!("FROM node\nCOPY --link package.json ./\nRUN {run}\n{below}\nRUN x\n")
    };
    assert_eq!(
        of(&file("npm ci", "COPY . ."), 2),
        (7.0, CostSource::Learned)
    );
    // Other work, and another place.
    assert_eq!(
        of(&file("npm run build", "COPY . ."), 2),
        (prior(Class::Build), CostSource::Prior)
    );
    assert_eq!(
        of(&file("npm ci", "COPY src src"), 2),
        (prior(Class::Install), CostSource::Prior)
    );
    // Two stood there.
    assert_eq!(
        of("FROM a\nCOPY . .\nRUN make three\n", 2),
        (prior(Class::Build), CostSource::Prior)
    );
}

#[test]
fn the_beginning_of_a_title_is_enough_where_no_other_begins_so() {
    let costs = CostTable::from_json(
        r#"{"schema":"cacheplan.costs/1","steps":[
        {"match":{"keyword":"RUN","text":"echo aaaaaaaaaaaaaaaaaaaaaaaa bbbb..."},"seconds":{"cold":[7,9]}},
        {"match":{"keyword":"RUN","text":"echo ccccccccccccccccccccccc..."},"seconds":{"cold":[7,9]}},
        {"match":{"keyword":"RUN","text":"echo ccccccccccccccccccccccccc..."},"seconds":{"cold":[7,9]}}]}"#,
    )
    .unwrap();
    let of = |text: &str| costs.step("RUN", text, &[]).source;
    assert_eq!(
        of("echo aaaaaaaaaaaaaaaaaaaaaaaa bbbbbbb && x"),
        CostSource::Learned
    );
    assert_eq!(of("echo aaaaaaaaaaaaaaaaaaaaaaaaa bbbb"), CostSource::Prior);
    assert_eq!(of("echo cccccccccccccccccccccccccccc"), CostSource::Prior);
}

#[test]
fn sums_of_seconds_are_figures() {
    let rule = |s: &str| {
        table(&format!(
            "{{\"match\":{{\"class\":\"build\"}},\"seconds\":{{\"cold\":[{s},{s}]}}}}"
        ))
    };
    assert!(rule("1e9").is_ok());
    assert!(rule("1e308").is_err());
}
