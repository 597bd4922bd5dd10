//! The command line is consistent, and read as people write it.

use super::*;
use clap::CommandFactory;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn flags_may_stand_before_and_behind_the_verb() {
    for line in ["serin -n web status shop --watch=false", "serin status --watch=false shop --namespace web"]
    {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        assert_eq!(cli.connection.namespace.as_deref(), Some("web"));
        let Verb::Status(arguments) = cli.verb else { panic!("{line}") };
        assert_eq!((arguments.names.one(), arguments.watch), (Ok("shop"), false));
    }
    let Verb::Status(arguments) =
        Cli::try_parse_from("serin status shop -w --timeout 5m".split(' ')).unwrap().verb
    else {
        panic!()
    };
    assert_eq!((arguments.watch, arguments.timeout), (true, Duration::from_secs(300)));
    assert!(Cli::try_parse_from("serin promote shop --full -c".split(' ')).is_err());
    assert!(Cli::try_parse_from("serin restart shop --in soon".split(' ')).is_err());
}

#[test]
fn every_verb_and_flag_says_what_it_is_for() {
    fn walk(command: &clap::Command) {
        let name = command.get_name();
        assert!(name == "kubectl-serin" || command.get_about().is_some(), "{name}");
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            assert!(argument.get_help().is_some(), "{name}: {}", argument.get_id());
        }
        command.get_subcommands().for_each(walk);
    }
    walk(&Cli::command());
}

#[test]
fn verbs_and_flags_of_the_stock_plugin_are_read() {
    for line in [
        "list rollouts -A -w",
        "list rollouts --watch --timeout-seconds 5",
        "list experiments -w",
        "get rollout shop -w --no-color",
        "get experiment trial --timeout-seconds 5",
        "retry rollout shop cart",
        "retry experiment trial",
        "terminate analysisrun a b",
        "terminate experiment trial",
        "restart shop --in 10s",
        "undo shop --to-revision=3",
        "set image shop *=app:2",
        "status shop --timeout 60s",
        "create analysisrun --from t -a k=v",
        "lint -f shop.yaml",
        "version --short",
    ] {
        let words = std::iter::once("serin").chain(line.split(' '));
        assert!(Cli::try_parse_from(words).is_ok(), "{line}");
    }
    for (line, kind) in [("retry exp/trial", true), ("retry trial", false)] {
        let Ok(Cli { verb: Verb::Retry(names), .. }) =
            Cli::try_parse_from(format!("serin {line}").split(' '))
        else {
            panic!("{line}")
        };
        assert_eq!(names.experiments(), kind, "{line}");
    }
}
