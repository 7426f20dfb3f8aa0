use std::{
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::*;

/// The program of a command line; a space separates two arguments.
fn of(exe: &str, command: &str) -> Option<String> {
    let mut cmdline: Vec<u8> = command.replace(' ', "\0").into();
    cmdline.push(0);
    parse(exe, &cmdline)
}

#[track_caller]
fn check(exe: &str, cases: &[(&str, Option<&str>)]) {
    for (command, expected) in cases {
        assert_eq!(of(exe, command).as_deref(), *expected, "{command}");
    }
}

#[test]
fn python_runs_a_script_or_a_module() {
    check(
        "/usr/bin/python3.11",
        &[
            ("python3 billing.py", Some("billing.py")),
            ("python3 /srv/app/billing.py --token SECRET", Some("billing.py")),
            ("python3 -u -W ignore -Xdev -X importtime billing.py", Some("billing.py")),
            ("python3 -uEs billing.py", Some("billing.py")),
            ("python3 -m gunicorn app:app", Some("gunicorn")),
            ("python3 -mhttp.server 8000", Some("http.server")),
            ("python3 -um billing.worker", Some("billing.worker")),
            ("python3 -- billing.py", Some("billing.py")),
            ("python3 /srv/app/", Some("app")),
            ("python3 --check-hash-based-pycs never billing.py", Some("billing.py")),
            ("python3 -c import(SECRET) billing.py", None),
            ("python3 -uc import(SECRET)", None),
            ("python3 - SECRET", None),
            ("python3 .", None),
            ("python3", None),
            ("python3 -W", None),
            ("python3 --unknown SECRET billing.py", None),
            ("python3 -m", None),
        ],
    );
}

#[test]
fn node_runs_a_script() {
    check(
        "/usr/bin/node",
        &[
            ("node /srv/server.mjs", Some("server.mjs")),
            ("node -r dotenv/config --max-old-space-size=4096 server.js", Some("server.js")),
            ("node --require ./tracing.js --enable-source-maps dist/main.js", Some("main.js")),
            ("node --import=./tracing.js --no-warnings -- server.js", Some("server.js")),
            ("node --inspect=0.0.0.0:9229 server.js", Some("server.js")),
            ("node -e SECRET", None),
            ("node --eval=SECRET server.js", None),
            ("node -p SECRET", None),
            ("node --unknown SECRET", None),
            ("node inspect server.js", None),
            ("node .", None),
            ("node", None),
        ],
    );
}

#[test]
fn java_runs_a_jar_a_class_or_a_module() {
    check(
        "/usr/lib/jvm/bin/java",
        &[
            ("java -jar /srv/app.jar --password SECRET", Some("app.jar")),
            (
                "java -Xmx1g -Dkey=SECRET -cp a.jar:b.jar com.acme.Billing x",
                Some("com.acme.Billing"),
            ),
            ("java -classpath a.jar -javaagent:otel.jar -jar app.jar", Some("app.jar")),
            ("java --add-opens java.base/java.lang=ALL-UNNAMED -jar app.jar", Some("app.jar")),
            ("java --add-opens=java.base/java.lang=ALL-UNNAMED -jar app.jar", Some("app.jar")),
            ("java -p mods -m com.acme/com.acme.Main", Some("com.acme.Main")),
            ("java --module=com.acme/com.acme.Main", Some("com.acme.Main")),
            ("java @options SECRET", None),
            ("java -unknown SECRET", None),
            ("java -jar", None),
        ],
    );
}

#[test]
fn other_interpreters_run_scripts() {
    check(
        "/usr/bin/ruby3.1",
        &[
            ("ruby -W0 -rbundler/setup -I lib /srv/puma.rb", Some("puma.rb")),
            ("ruby -r bundler/setup --yjit app.rb", Some("app.rb")),
            ("ruby -S sidekiq", Some("sidekiq")),
            ("ruby --encoding=utf-8 app.rb", Some("app.rb")),
            ("ruby -W:no-deprecated app.rb", Some("app.rb")),
            ("ruby -0777 app.rb", Some("app.rb")),
            ("ruby -ne SECRET", None),
            ("ruby -0777ne SECRET", None),
            ("ruby --unknown SECRET", None),
        ],
    );
    check(
        "/usr/bin/perl5.36-x86_64-linux-gnu",
        &[
            ("perl -wT -I lib -Mstrict /srv/app.pl", Some("app.pl")),
            ("perl -CSD app.pl", Some("app.pl")),
            ("perl -we SECRET", None),
            ("perl -E SECRET", None),
            ("perl -d:NYTProf -l app.pl", Some("app.pl")),
            ("perl -0777 app.pl", Some("app.pl")),
            ("perl -le SECRET", None),
            ("perl -0777ne SECRET", None),
            ("perl -0xFFne SECRET", None),
            ("perl -de0 SECRET", None),
        ],
    );
    check(
        "/usr/bin/php8.2",
        &[
            ("php -d memory_limit=1G /srv/artisan queue:work", Some("artisan")),
            ("php -c /etc/php.ini -f worker.php", Some("worker.php")),
            ("php -fworker.php", Some("worker.php")),
            ("php -r SECRET", None),
            ("php -S 0.0.0.0:80 router.php", None),
        ],
    );
    for shell in ["/bin/sh", "/usr/bin/bash", "/usr/bin/dash"] {
        check(
            shell,
            &[
                ("sh /srv/run.sh SECRET", Some("run.sh")),
                ("sh -eu run.sh", Some("run.sh")),
                ("sh -euo pipefail run.sh", Some("run.sh")),
                ("sh -o pipefail -- run.sh", Some("run.sh")),
                ("sh -oe pipefail run.sh", None),
                ("sh +x run.sh", Some("run.sh")),
                ("sh -c SECRET", None),
                ("sh -ec SECRET run.sh", None),
                ("sh -s SECRET", None),
                ("-sh", None),
            ],
        );
    }
}

#[test]
fn other_programs_run_no_script() {
    for exe in ["/usr/sbin/nginx", "/opt/billing.py", "/usr/sbin/php-fpm8.2", "", "/usr/bin/"] {
        assert_eq!(of(exe, "program billing.py"), None, "{exe}");
    }
    assert_eq!(of("/usr/bin/python3.11 (deleted)", "python3 a.py").as_deref(), Some("a.py"));
}

#[test]
fn a_changed_or_truncated_command_line_names_nothing() {
    assert_eq!(parse("/usr/bin/python3", b"python3\0/srv/bill"), None, "not ended by NUL");
    assert_eq!(parse("/usr/bin/python3", b"gunicorn: master [SECRET]"), None);
    assert_eq!(parse("/usr/bin/python3", b"gunicorn: master [SECRET]\0"), None);
    assert_eq!(parse("/usr/bin/python3", b""), None);
    assert_eq!(parse("/usr/bin/python3", b"python3\0\0\0"), None);
    let long = format!("python3 {}", "x".repeat(256));
    assert_eq!(of("/usr/bin/python3", &long), None);
}

#[test]
fn a_real_process_names_its_script() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wait for.sh");
    std::fs::write(&path, "read line\n").unwrap();
    let mut child = Command::new("sh").arg("-eu").arg(&path).stdin(Stdio::piped()).spawn().unwrap();
    let exe = std::fs::read_link(format!("/proc/{}/exe", child.id())).unwrap();
    // The kernel sets the command line shortly after the executable.
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut name = None;
    while name.is_none() && Instant::now() < deadline {
        name = script(child.id(), exe.to_str().unwrap());
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(name.as_deref(), Some("wait for.sh"));
    drop(child.stdin.take());
    child.wait().unwrap();
}

proptest! {
    #[test]
    fn a_name_is_one_component_of_one_argument(
        exe in "(python3|node|ruby|perl|php|java|sh)",
        arguments in prop::collection::vec("[-+]{0,2}[a-zA-Z0=./@]{0,6}", 0..6),
    ) {
        if let Some(name) = of(&exe, &format!("{exe} {}", arguments.join(" "))) {
            prop_assert!(!name.contains('/') && !name.is_empty());
            prop_assert!(arguments.iter().any(|it| it.contains(&name)), "{name}");
        }
    }
}
