//! PAM: one attempt to log in by a service of pam.d(5). libpam is opened when it is first wanted, so that the program is built
//! and runs where it is not installed.
//!
//! The modules are foreign C code which blocks, keeps memory, forks, and changes what belongs to the whole process
//! (environment, signals, keyrings). So [`attempt`] is meant for a process of its own, not for the threads of a daemon.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use libloading::Library;

/// The library as every distribution of Linux-PAM names it.
pub const LIBRARY: &str = "libpam.so.0";
/// The most messages of one call of the conversation (Linux-PAM: PAM_MAX_NUM_MSG).
const MESSAGES_MAX: c_int = 32;

const SUCCESS: c_int = 0;
const BUF_ERR: c_int = 5;
const USER_UNKNOWN: c_int = 10;
const NEW_AUTHTOK_REQD: c_int = 12;
const ACCT_EXPIRED: c_int = 13;
const CONV_ERR: c_int = 19;
/// PAM_OPEN_ERR, PAM_SYMBOL_ERR, PAM_SERVICE_ERR, PAM_SYSTEM_ERR, PAM_BUF_ERR, PAM_AUTHINFO_UNAVAIL, PAM_ABORT, PAM_MODULE_UNKNOWN:
/// nobody looked at the password.
const UNAVAILABLE: [c_int; 8] = [1, 2, 3, 4, BUF_ERR, 9, 26, 28];

const ITEM_USER: c_int = 2;
const ITEM_TTY: c_int = 3;
const ITEM_RHOST: c_int = 4;
const PROMPT_ECHO_OFF: c_int = 1;
const PROMPT_ECHO_ON: c_int = 2;
const ERROR_MSG: c_int = 3;
const ESTABLISH_CRED: c_int = 2;
const DELETE_CRED: c_int = 4;

/// Somebody who wants to log in.
#[derive(Clone)]
pub struct Attempt {
    /// The file below `/etc/pam.d`.
    pub service: String,
    /// The user's name.
    pub user: String,
    /// What is answered to a prompt without echo.
    pub password: Vec<u8>,
    /// The client's address; empty when it is not known.
    pub remote_host: String,
    /// `session=yes`: a session is opened and closed again (pam_mkhomedir and its like).
    pub opens_session: bool,
    /// `setcred=yes`: credentials are established and deleted again.
    pub sets_credentials: bool,
}

/// What PAM said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Welcome, under this name (a module may change it).
    Ok {
        /// The name.
        user: String,
    },
    /// No: the step, and the reason in PAM's words.
    Refused {
        /// `pam_authenticate() failed: Authentication failure`
        why: String,
        /// What the modules said to the user, the lines joined by spaces; may be empty.
        told: String,
    },
    /// There is no such user.
    UnknownUser,
    /// The password or the account has expired.
    Expired(String),
    /// It cannot be told: why.
    Unavailable(String),
}

#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct Response {
    text: *mut c_char,
    code: c_int,
}

type Converse = unsafe extern "C" fn(c_int, *const *const Message, *mut *mut Response, *mut c_void) -> c_int;

#[repr(C)]
struct Conversation {
    converse: Converse,
    data: *mut c_void,
}

/// What the conversation answers, and what it was told.
struct Talk {
    user: CString,
    password: CString,
    told: Vec<String>,
}

type Handle = *mut c_void;
type Start = unsafe extern "C" fn(*const c_char, *const c_char, *const Conversation, *mut Handle) -> c_int;
type Step = unsafe extern "C" fn(Handle, c_int) -> c_int;
type SetItem = unsafe extern "C" fn(Handle, c_int, *const c_void) -> c_int;
type GetItem = unsafe extern "C" fn(Handle, c_int, *mut *const c_void) -> c_int;
type StrError = unsafe extern "C" fn(Handle, c_int) -> *const c_char;

/// Tries to log in. Blocks for as long as the modules like (pam_unix: some seconds after a wrong password).
pub fn attempt(attempt: &Attempt) -> Outcome {
    // SAFETY: libpam's initialisers do nothing but prepare it; it is a library made to be loaded.
    let library = match unsafe { Library::new(LIBRARY) } {
        Ok(library) => library,
        Err(error) => return Outcome::Unavailable(format!("cannot load {LIBRARY}: {error}. Install PAM")),
    };
    let (Ok(service), Ok(user), Ok(password)) = (
        CString::new(attempt.service.as_str()),
        CString::new(attempt.user.as_str()),
        CString::new(attempt.password.as_slice()),
    ) else {
        let why = "a zero byte in the name or the password".to_owned();
        return Outcome::Refused {
            why,
            told: String::new(),
        };
    };
    let mut talk = Talk {
        user: user.clone(),
        password,
        told: Vec::new(),
    };
    let conversation = Conversation {
        converse,
        data: (&raw mut talk).cast(),
    };
    // SAFETY: the strings and the conversation live until after `pam_end`, which `transact` calls before it returns; the talk
    // is looked at again only afterwards.
    let outcome = unsafe { transact(&library, attempt, (&service, &user), &conversation) };
    let told = std::mem::take(&mut talk.told).join(" ");
    // Modules leave things behind that must not lose their code (atexit handlers, threads).
    std::mem::forget(library);
    match outcome {
        Outcome::Refused { why, .. } => Outcome::Refused { why, told },
        other => other,
    }
}

/// # Safety
/// `conversation` and the names outlive the call; its data is a [`Talk`] that nobody else uses meanwhile.
unsafe fn transact(
    library: &Library,
    attempt: &Attempt,
    (service, user): (&CStr, &CStr),
    conversation: &Conversation,
) -> Outcome {
    // SAFETY: the signatures are those of security/pam_appl.h, the handle is the one that pam_start gave and is not used after
    // pam_end, and what pam_set_item is given are C strings that it copies.
    unsafe {
        let found = (
            library.get::<Start>(b"pam_start\0"),
            library.get::<SetItem>(b"pam_set_item\0"),
            library.get::<Step>(b"pam_end\0"),
        );
        let (Ok(start), Ok(set_item), Ok(end)) = found else {
            return Outcome::Unavailable(format!("{LIBRARY} is not PAM"));
        };
        let mut handle: Handle = std::ptr::null_mut();
        let code = start(service.as_ptr(), user.as_ptr(), conversation, &raw mut handle);
        if code != SUCCESS || handle.is_null() {
            return Outcome::Unavailable(format!("pam_start({}) failed: code {code}", attempt.service));
        }
        if let Ok(host) = CString::new(attempt.remote_host.as_str())
            && !host.is_empty()
        {
            set_item(handle, ITEM_RHOST, host.as_ptr().cast());
        }
        set_item(handle, ITEM_TTY, c"dovecot".as_ptr().cast());
        let (outcome, code) = steps(library, attempt, handle);
        end(handle, code);
        outcome
    }
}

/// Authentication, account, and what else is asked for; what came of it, and the last code for pam_end.
///
/// # Safety
/// `handle` is a PAM handle that is in nobody else's use.
unsafe fn steps(library: &Library, attempt: &Attempt, handle: Handle) -> (Outcome, c_int) {
    let mut wanted: Vec<(&str, c_int)> = vec![("pam_authenticate", 0)];
    if attempt.sets_credentials {
        wanted.push(("pam_setcred", ESTABLISH_CRED));
    }
    wanted.push(("pam_acct_mgmt", 0));
    if attempt.opens_session {
        wanted.extend([("pam_open_session", 0), ("pam_close_session", 0)]);
    }
    if attempt.sets_credentials {
        wanted.push(("pam_setcred", DELETE_CRED));
    }
    for (name, flags) in wanted {
        // SAFETY: all five have this signature; the handle is the caller's.
        let code = match unsafe { library.get::<Step>(name.as_bytes()) } {
            // SAFETY: as above.
            Ok(step) => unsafe { step(handle, flags) },
            Err(error) => return (Outcome::Unavailable(error.to_string()), SUCCESS),
        };
        if code != SUCCESS {
            // SAFETY: as above.
            let why = format!("{name}() failed: {}", unsafe { words(library, handle, code) });
            return (outcome_of(code, why), code);
        }
    }
    // SAFETY: as above.
    let user = unsafe { name_of(library, handle) }.unwrap_or_else(|| attempt.user.clone());
    (Outcome::Ok { user }, SUCCESS)
}

fn outcome_of(code: c_int, why: String) -> Outcome {
    match code {
        USER_UNKNOWN => Outcome::UnknownUser,
        NEW_AUTHTOK_REQD | ACCT_EXPIRED => Outcome::Expired(why),
        code if UNAVAILABLE.contains(&code) => Outcome::Unavailable(why),
        _ => Outcome::Refused {
            why,
            told: String::new(),
        },
    }
}

/// # Safety
/// As [`steps`].
unsafe fn words(library: &Library, handle: Handle, code: c_int) -> String {
    // SAFETY: pam_strerror gives a C string that lives as long as the library, or null.
    unsafe {
        let text = match library.get::<StrError>(b"pam_strerror\0") {
            Ok(strerror) => strerror(handle, code),
            Err(_) => std::ptr::null(),
        };
        if text.is_null() {
            format!("code {code}")
        } else {
            CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    }
}

/// # Safety
/// As [`steps`].
unsafe fn name_of(library: &Library, handle: Handle) -> Option<String> {
    let mut item: *const c_void = std::ptr::null();
    // SAFETY: PAM_USER is a C string that belongs to the handle; it is copied at once.
    unsafe {
        let item_of = library.get::<GetItem>(b"pam_get_item\0").ok()?;
        if item_of(handle, ITEM_USER, &raw mut item) != SUCCESS || item.is_null() {
            return None;
        }
        let name = CStr::from_ptr(item.cast()).to_string_lossy().into_owned();
        (!name.is_empty()).then_some(name)
    }
}

/// Answers the modules' prompts: the password where nothing is echoed, the name where it is.
unsafe extern "C" fn converse(
    count: c_int,
    messages: *const *const Message,
    responses: *mut *mut Response,
    data: *mut c_void,
) -> c_int {
    if !(1..=MESSAGES_MAX).contains(&count) || messages.is_null() || responses.is_null() || data.is_null() {
        return CONV_ERR;
    }
    let count = count as usize;
    // SAFETY: Linux-PAM gives an array of `count` pointers to messages (pam_conv(3)), and `data` is the talk that was given to
    // pam_start. The answers are made by malloc's family because libpam gives them to free.
    unsafe {
        let talk = &mut *data.cast::<Talk>();
        let answers: *mut Response = libc::calloc(count, size_of::<Response>()).cast();
        if answers.is_null() {
            return BUF_ERR;
        }
        for at in 0..count {
            let message = &**messages.add(at);
            let answer = match message.style {
                PROMPT_ECHO_OFF => Some(&talk.password),
                PROMPT_ECHO_ON => Some(&talk.user),
                style => {
                    if style == ERROR_MSG && !message.text.is_null() {
                        let text = CStr::from_ptr(message.text).to_string_lossy();
                        talk.told.push(text.trim().to_owned());
                    }
                    None
                }
            };
            if let Some(answer) = answer {
                (*answers.add(at)).text = libc::strdup(answer.as_ptr());
            }
        }
        *responses = answers;
    }
    SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without libpam this is "cannot load", with it the service `other` refuses: never "ok", never "no such user".
    #[test]
    fn an_unknown_service_lets_nobody_in() {
        let outcome = attempt(&Attempt {
            service: "no-such-service-of-yubin".to_owned(),
            user: "nobody".to_owned(),
            password: b"x".to_vec(),
            remote_host: "127.0.0.1".to_owned(),
            opens_session: false,
            sets_credentials: false,
        });
        assert!(
            matches!(outcome, Outcome::Refused { .. } | Outcome::Unavailable(_)),
            "{outcome:?}"
        );
    }

    #[test]
    fn codes_mean_what_they_say() {
        let of = |code| outcome_of(code, "why".to_owned());
        assert_eq!(of(10), Outcome::UnknownUser);
        assert_eq!(of(9), Outcome::Unavailable("why".to_owned()));
        assert_eq!(of(13), Outcome::Expired("why".to_owned()));
        assert!(matches!(of(7), Outcome::Refused { .. }));
    }

    #[test]
    fn prompts_are_answered_by_what_they_show() {
        let mut talk = Talk {
            user: c"ann".to_owned(),
            password: c"secret".to_owned(),
            told: Vec::new(),
        };
        let messages = [PROMPT_ECHO_OFF, PROMPT_ECHO_ON, ERROR_MSG].map(|style| Message {
            style,
            text: c" Sorry ".as_ptr(),
        });
        let pointers: Vec<*const Message> = messages.iter().map(std::ptr::from_ref).collect();
        let mut answers: *mut Response = std::ptr::null_mut();
        // SAFETY: the arguments are what libpam gives; the answers are freed once.
        let texts = unsafe {
            let data = (&raw mut talk).cast();
            assert_eq!(converse(3, pointers.as_ptr(), &raw mut answers, data), SUCCESS);
            let texts: Vec<Option<String>> = (0..3)
                .map(|at| {
                    let text = (*answers.add(at)).text;
                    let copy = (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned());
                    libc::free(text.cast());
                    copy
                })
                .collect();
            libc::free(answers.cast());
            assert_eq!(converse(0, pointers.as_ptr(), &raw mut answers, data), CONV_ERR);
            texts
        };
        assert_eq!(texts, [Some("secret".to_owned()), Some("ann".to_owned()), None]);
        assert_eq!(talk.told, ["Sorry"]);
    }
}
