//! Says one question to Elastic Load Balancing as the form that its Query API takes.

/// The requests that a survey makes, those that list with the marker of their page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    LoadBalancer { name: String },
    TargetGroups { load_balancer: String, marker: Option<String> },
    Tags { arns: Vec<String> },
    Listeners { load_balancer: String, marker: Option<String> },
    Rules { listener: String, marker: Option<String> },
}

impl Question {
    /// The action, as the permission for it is called.
    pub(super) fn action(&self) -> &'static str {
        match self {
            Self::LoadBalancer { .. } => "DescribeLoadBalancers",
            Self::TargetGroups { .. } => "DescribeTargetGroups",
            Self::Tags { .. } => "DescribeTags",
            Self::Listeners { .. } => "DescribeListeners",
            Self::Rules { .. } => "DescribeRules",
        }
    }

    /// The body of the request.
    pub(super) fn form(&self) -> String {
        let mut form = format!("Action={}&Version=2015-12-01", self.action());
        let mut add = |name: &str, value: &str| form.push_str(&format!("&{name}={}", escaped(value)));
        match self {
            Self::LoadBalancer { name } => add("Names.member.1", name),
            Self::Tags { arns } => {
                for (number, arn) in (1..).zip(arns) {
                    add(&format!("ResourceArns.member.{number}"), arn);
                }
            }
            Self::TargetGroups { load_balancer, marker } | Self::Listeners { load_balancer, marker } => {
                add("LoadBalancerArn", load_balancer);
                marker.iter().for_each(|marker| add("Marker", marker));
            }
            Self::Rules { listener, marker } => {
                add("ListenerArn", listener);
                marker.iter().for_each(|marker| add("Marker", marker));
            }
        }
        form
    }
}

/// Everything but what RFC 3986 reserves nothing of, in percent.
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
