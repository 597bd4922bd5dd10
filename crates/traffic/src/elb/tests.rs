//! The survey against answers that are written after AWS's documentation; see `tests/elb/README.md`.

use super::*;

const HOST: &str = "k8s-shop-web-424835706.eu-west-1.elb.amazonaws.com";
const TAG: &str = "ingress.k8s.aws/resource";

fn recorded(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/elb/{name}.xml", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The recorded answer to a request.
fn answer(form: &str) -> String {
    let asked = |text: &str| form.contains(text);
    recorded(match form.split(['=', '&']).nth(1).unwrap() {
        "DescribeLoadBalancers" => "load_balancers",
        "DescribeTargetGroups" if asked("&Marker=page%2F2%20of%202") => "target_groups_2",
        "DescribeTargetGroups" => "target_groups",
        "DescribeTags" if asked("webcanar") => "tags_1",
        "DescribeTags" => "tags_2",
        "DescribeListeners" => "listeners",
        "DescribeRules" => "rules",
        other => panic!("{other}"),
    })
}

fn run(mut survey: Survey) -> (Vec<String>, (Value, Known)) {
    let mut forms = Vec::new();
    while let Some(form) = survey.ask() {
        survey.hear(200, &answer(&form)).unwrap();
        forms.push(form);
    }
    (forms, survey.told())
}

#[test]
fn a_survey_asks_page_by_page_and_tells_the_weights_by_service() {
    let (forms, (told, known)) = run(Survey::of(HOST, TAG, Known::new()).unwrap());
    let actions: Vec<_> = forms.iter().map(|form| form.split(['=', '&']).nth(1).unwrap()).collect();
    let expected = [
        "DescribeLoadBalancers",
        "DescribeTargetGroups",
        "DescribeListeners",
        "DescribeTags",
        "DescribeTargetGroups",
        "DescribeRules",
        "DescribeRules",
        "DescribeTags",
    ];
    assert_eq!(actions, expected);
    assert_eq!(forms[0], "Action=DescribeLoadBalancers&Version=2015-12-01&Names.member.1=k8s-shop-web");
    assert!(forms[5].contains("&ListenerArn=arn%3Aaws%3Aelasticloadbalancing%3A"), "{}", forms[5]);
    assert_eq!(told["loadBalancer"]["fullName"], "app/k8s-shop-web/50dc6c495c0c9188");
    let group = &told["targetGroups"]["shop/web-web-canary:80"];
    assert_eq!(group["fullName"], "targetgroup/k8s-shop-webcanar-0a1b/73e2d6bc24d8a067");
    let (split, header) = (
        json!({"shop/web-web-canary:80": 20, "shop/web-web-stable:80": 80}),
        json!({"shop/web-web-canary:80": 100}),
    );
    let plain = json!({"shop/web-web-stable:80": 1});
    assert_eq!(told["forwards"], json!([header, split, plain, header, split, plain]));
    assert_eq!(known.len(), 2);
    let (forms, (again, _)) = run(Survey::of(HOST, TAG, known).unwrap());
    assert!(
        !forms.iter().any(|form| form.contains("DescribeTags")),
        "known target groups are not asked about again"
    );
    assert_eq!(again, told);
}

#[test]
fn what_is_no_answer_is_a_reason() {
    for (status, body, expected) in [
        (400, recorded("throttled"), "DescribeLoadBalancers: Throttling: Rate exceeded"),
        (
            503,
            "<html>later</html>".to_owned(),
            "DescribeLoadBalancers: it answered with status 503: <html>later</html>",
        ),
        (200, "not XML".to_owned(), "DescribeLoadBalancers: the answer is no XML that can be read"),
    ] {
        let mut survey = Survey::of(HOST, TAG, Known::new()).unwrap();
        let why = survey.hear(status, &body).unwrap_err();
        assert!(why.starts_with(expected), "{why}");
    }
    let mut survey = Survey::of(HOST, TAG, Known::new()).unwrap();
    survey.hear(200, &recorded("load_balancers")).unwrap();
    let why = survey.hear(403, &recorded("denied")).unwrap_err();
    assert!(why.contains("AccessDenied") && why.contains("elasticloadbalancing:DescribeRules"), "{why}");
}

#[test]
fn a_load_balancer_that_is_not_there_is_an_answer() {
    let mut survey = Survey::of(HOST, TAG, Known::new()).unwrap();
    survey.hear(400, &recorded("not_found")).unwrap();
    assert_eq!(survey.ask(), None);
    assert_eq!(survey.told().0["loadBalancer"], Value::Null);
    // Another one of the same name that was made anew.
    let mut survey = Survey::of(&HOST.replace("424835706", "1"), TAG, Known::new()).unwrap();
    survey.hear(200, &recorded("load_balancers")).unwrap();
    assert_eq!((survey.ask(), survey.told().0["loadBalancer"].clone()), (None, Value::Null));
}

#[test]
fn name_and_region_are_those_of_the_host_name() {
    for (host, expected) in [
        (HOST, Some(("k8s-shop-web", "eu-west-1"))),
        ("internal-shop-12.cn-north-1.elb.amazonaws.com.cn", Some(("shop", "cn-north-1"))),
        ("k8s-shop-0123456789abcdef.elb.eu-west-1.amazonaws.com", None),
        ("shop.example.com", None),
        ("shop.eu-west-1.elb.amazonaws.com", None),
    ] {
        assert_eq!(name(host).zip(region(host)), expected, "{host}");
        assert_eq!(Survey::of(host, TAG, Known::new()).is_ok(), expected.is_some(), "{host}");
    }
}
