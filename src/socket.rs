//! `--socket`: the same routes on a Unix domain socket, which only this user can open (featuresd.md §6.4).

use std::path::{Path, PathBuf};

use crate::error::Failure;

/// A socket in the file system; the file goes with this value.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    #[cfg(unix)]
    listener: std::os::unix::net::UnixListener,
}

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::io::{Error, ErrorKind, Result};
    use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    /// Binds it in a folder that nobody else can look into, and puts it in its place once its mode is right: between
    /// binding and `chmod` others could open it otherwise.
    fn bind(path: &Path) -> Result<UnixListener> {
        let folder = path.with_file_name(format!(".featured-{}", uuid::Uuid::now_v7().simple()));
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let inside = folder.join("s");
        let bound = UnixListener::bind(&inside).and_then(|listener| {
            fs::set_permissions(&inside, fs::Permissions::from_mode(0o600))?;
            fs::rename(&inside, path)?;
            Ok(listener)
        });
        // What is left of it harms nobody.
        let _ = fs::remove_file(&inside);
        let _ = fs::remove_dir(&folder);
        bound
    }

    impl Socket {
        /// Makes the socket. One that a server left behind is replaced; one that is served, or a file, is not.
        pub fn open(path: &Path) -> std::result::Result<Self, Failure> {
            let failed = |error: Error| Failure::Other(format!("--socket {}: {error}", path.display()));
            match fs::symlink_metadata(path) {
                Ok(there) if !there.file_type().is_socket() => {
                    return Err(failed(Error::other("there is a file of that name")));
                }
                Ok(_) if UnixStream::connect(path).is_ok() => {
                    return Err(failed(Error::other("another server serves there")));
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
            let listener = bind(path).map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            Ok(Self { path: path.to_owned(), listener })
        }

        /// What to listen on.
        pub fn listener(&self) -> Result<UnixListener> {
            self.listener.try_clone()
        }
    }
}

#[cfg(not(unix))]
impl Socket {
    /// There are none here.
    pub fn open(_: &Path) -> Result<Self, Failure> {
        Err(Failure::Usage("--socket: this system has no Unix sockets".into()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
