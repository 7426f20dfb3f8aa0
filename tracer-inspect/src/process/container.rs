//! The container in the path of a cgroup: its id, its runtime and its pod.

use tracer_core::Container;

/// Prefixes that runtimes put before the id in the name of a systemd scope or of a parent cgroup,
/// and the name of the runtime.
const RUNTIMES: [(&str, &str); 5] = [
    ("cri-containerd", "containerd"),
    ("crio", "cri-o"),
    ("libpod", "podman"),
    ("docker", "docker"),
    ("nerdctl", "containerd"),
];
/// Number of hexadecimal digits of a container id.
const ID_LENGTH: usize = 64;
/// Positions of the hyphens in a pod uid.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
const UID_LENGTH: usize = 36;

/// The innermost container that the path of a cgroup names, for example `/docker/ID` or
/// `/kubepods.slice/kubepods-podUID.slice/cri-containerd-ID.scope`.
pub fn container(path: &str) -> Option<Container> {
    let parts: Vec<&str> = path.split('/').collect();
    let index = parts.iter().rposition(|part| id(part).is_some())?;
    let (above, rest) = parts.split_at(index);
    let own = rest.first()?;
    // The parents of an outer container do not describe this one.
    let mut above = above.iter().rev().take_while(|part| id(part).is_none());
    let parent = above.clone().next();
    Some(Container {
        id: id(own)?.to_ascii_lowercase(),
        runtime: runtime(own).or_else(|| runtime(parent?)),
        pod_uid: above.find_map(|part| pod_uid(part)),
    })
}

/// The container id in a path component: 64 hexadecimal digits with any prefix and suffix.
fn id(part: &str) -> Option<&str> {
    part.split(|character: char| !character.is_ascii_hexdigit())
        .find(|word| word.len() == ID_LENGTH)
}

fn runtime(part: &str) -> Option<String> {
    let words = |name: &str| {
        part.strip_prefix(name).is_some_and(|rest| {
            !rest.starts_with(|character: char| character.is_ascii_alphanumeric())
        }) || part.contains(&format!(":{name}:"))
    };
    RUNTIMES.iter().find(|(name, _)| words(name)).map(|(_, runtime)| (*runtime).to_owned())
}

/// The pod uid of `pod0123…` or `kubepods-burstable-pod0123….slice`, where underscores replace the
/// hyphens. Static pods, which the host itself defines, have a uid of 32 digits without hyphens.
fn pod_uid(part: &str) -> Option<String> {
    let part = part.strip_suffix(".slice").unwrap_or(part);
    let uid = part.strip_prefix("pod").or_else(|| Some(part.rsplit_once("-pod")?.1))?;
    let uid = uid.replace('_', "-");
    let is_digit = |(index, byte): (usize, u8)| {
        if HYPHENS.contains(&index) && uid.len() == UID_LENGTH {
            byte == b'-'
        } else {
            byte.is_ascii_hexdigit()
        }
    };
    let is_length = [UID_LENGTH, UID_LENGTH - HYPHENS.len()].contains(&uid.len());
    (is_length && uid.bytes().enumerate().all(is_digit)).then_some(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "6a1e4f0c-1d2b-4c3d-8e5f-a0b1c2d3e4f5";

    fn of(path: &str) -> Option<(Option<String>, Option<String>)> {
        let id = "0123456789abcdef".repeat(4);
        let container = container(&path.replace("ID", &id))?;
        assert_eq!(container.id, id, "{path}");
        Some((container.runtime, container.pod_uid))
    }

    #[test]
    fn a_container_is_found_whatever_surrounds_its_id() {
        let escaped = UID.replace('-', "_");
        let pod =
            format!("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{escaped}");
        for (path, runtime, pod_uid) in [
            ("/docker/ID".to_owned(), Some("docker"), None),
            ("/system.slice/docker-ID.scope".to_owned(), Some("docker"), None),
            ("/../docker-ID.scope".to_owned(), Some("docker"), None),
            ("/machine.slice/libpod-ID.scope/container".to_owned(), Some("podman"), None),
            (format!("{pod}.slice/cri-containerd-ID.scope"), Some("containerd"), Some(UID)),
            (format!("{pod}.slice/crio-ID.scope"), Some("cri-o"), Some(UID)),
            (format!("/kubepods/besteffort/pod{UID}/ID"), None, Some(UID)),
            (
                format!(
                    "/system.slice/containerd.service/kubepods-pod{escaped}.slice:cri-containerd:ID"
                ),
                Some("containerd"),
                None,
            ),
            (
                "/kubepods/pod0123456789abcdef0123456789abcdef/ID".to_owned(),
                None,
                Some("0123456789abcdef0123456789abcdef"),
            ),
            ("/default/ID".to_owned(), None, None),
        ] {
            let expected = (runtime.map(str::to_owned), pod_uid.map(str::to_owned));
            assert_eq!(of(&path), Some(expected), "{path}");
        }
    }

    #[test]
    fn similar_paths_name_no_container() {
        for path in ["/system.slice/ssh.service", "/ID00", "/", "", "/docker", "/pod0123/x"] {
            assert_eq!(of(path), None, "{path}");
        }
        assert_eq!(of("/dockerish/ID"), Some((None, None)));
        assert_eq!(of("/podium-pod12345678_1234_1234_1234_12345678901g/ID"), Some((None, None)));
    }

    #[test]
    fn the_innermost_of_nested_containers_is_found() {
        let outer = "f".repeat(64);
        assert_eq!(of(&format!("/docker-{outer}.scope/ID")), Some((None, None)));
        assert_eq!(
            of(&format!("/docker-{outer}.scope/libpod-ID.scope")),
            Some((Some("podman".to_owned()), None))
        );
    }
}
