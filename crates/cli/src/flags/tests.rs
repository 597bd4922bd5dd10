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
