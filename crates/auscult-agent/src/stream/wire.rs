//! A stream with its layers: messages in, messages out, plain or sealed.

use std::sync::Arc;
use std::time::Duration;

use auscult_core::bounds::MEMBERSHIP_FRAME_BYTES_MAX;
use auscult_core::swim::{Answer, Refusal};
use auscult_core::wire::swim::encode_answer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Broken;
use crate::keys::{Plain, SharedRing};
use crate::layers::LayerReject;
use crate::layers::entropy::{Entropy as _, NoEntropy, SystemEntropy};
use crate::layers::stream::{
    HELLO_BYTES, MARKER, Place, RECORD_HEADER_BYTES, Reply, Seals, Share, Side, hello, read_hello,
    record,
};

/// A stream, once it is agreed how messages are written.
pub(crate) struct Wire<T> {
    pub(crate) io: T,
    large: Arc<Semaphore>,
    form: Form,
}

enum Form {
    /// The first length, when it was read already.
    Plain(Option<[u8; LENGTH_BYTES]>),
    Sealed(Box<Seals>),
}

/// A message that arrived. While it is kept, it counts among the large ones, if it is one.
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    _large: Option<OwnedSemaphorePermit>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire<T> {
    /// A stream that we opened; plain.
    pub(crate) const fn plain(io: T, large: Arc<Semaphore>) -> Self {
        let form = Form::Plain(None);
        Self { io, large, form }
    }

    /// Begins a sealed stream that we opened.
    pub(crate) async fn ask(
        mut io: T,
        ring: &SharedRing,
        large: Arc<Semaphore>,
    ) -> Result<Self, Broken> {
        let ours = share()?;
        // The ring may change while the other side answers.
        let sealing = ring.sealing_kept();
        let ciphers = sealing.primary();
        io.write_all(&hello(ciphers.id(), &ours)).await?;
        let reply = Reply::read(io.read_u8().await?).ok_or(Broken::Malformed)?;
        match reply {
            Reply::Welcome => {}
            Reply::Plain => return Err(Broken::Refused(Refusal::Plain)),
            Reply::UnknownKey => return Err(Broken::Refused(Refusal::UnknownKey)),
        }
        let mut theirs = Share::default();
        io.read_exact(&mut theirs).await?;
        let seals = Seals::new(ciphers, Side::Asks, &ours, &theirs);
        let form = Form::Sealed(Box::new(seals));
        Ok(Self { io, large, form })
    }

    /// Takes a stream that another one opened, in the form that it has, if that is taken here. One
    /// that is not is told so.
    pub(crate) async fn take(
        mut io: T,
        ring: Option<&SharedRing>,
        large: Arc<Semaphore>,
    ) -> Result<Self, Broken> {
        let mut first = [0; LENGTH_BYTES];
        io.read_exact(&mut first).await?;
        let is_sealed = first == MARKER;
        let form = match ring {
            Some(ring) if is_sealed => take_sealed(&mut io, ring).await?,
            None if is_sealed => {
                refuse(&mut io, &[Reply::Plain.byte()]).await;
                return Err(Broken::Layer(LayerReject::Sealed));
            }
            Some(ring) if ring.sealing_kept().plain() == Plain::Refused => {
                let mut answer = vec![0; LENGTH_BYTES];
                encode_answer(&Answer::Refused(Refusal::Sealed), &mut answer);
                let length = (answer.len() - LENGTH_BYTES) as u32;
                answer[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
                refuse(&mut io, &answer).await;
                return Err(Broken::Layer(LayerReject::Plain));
            }
            Some(_) | None => Form::Plain(Some(first)),
        };
        Ok(Self { io, large, form })
    }

    /// Whether the other side has proven that it has a key.
    pub(crate) const fn is_sealed(&self) -> bool {
        match self.form {
            Form::Plain(_) => false,
            Form::Sealed(_) => true,
        }
    }

    pub(crate) async fn write(&mut self, message: &[u8]) -> Result<(), Broken> {
        let mut out = Vec::new();
        match &mut self.form {
            Form::Plain(_) => {
                let length = u32::try_from(message.len()).map_err(|_| Broken::Malformed)?;
                out.reserve(LENGTH_BYTES + message.len());
                out.extend_from_slice(&length.to_le_bytes());
                out.extend_from_slice(message);
            }
            Form::Sealed(seals) => seals.seal(message, &mut out),
        }
        Ok(self.io.write_all(&out).await?)
    }

    pub(crate) async fn read(&mut self) -> Result<Message, Broken> {
        match &mut self.form {
            Form::Plain(first) => {
                let length = match first.take() {
                    Some(first) => first,
                    None => {
                        let mut length = [0; LENGTH_BYTES];
                        self.io.read_exact(&mut length).await?;
                        length
                    }
                };
                read_plain(&mut self.io, length, &self.large).await
            }
            Form::Sealed(seals) => read_sealed(&mut self.io, seals, &self.large).await,
        }
    }
}

async fn take_sealed<T: AsyncRead + AsyncWrite + Unpin>(
    io: &mut T,
    ring: &SharedRing,
) -> Result<Form, Broken> {
    let mut rest = [0; HELLO_BYTES - MARKER.len()];
    io.read_exact(&mut rest).await?;
    let (key, theirs) = read_hello(&rest);
    let sealing = ring.sealing_kept();
    let Some(ciphers) = sealing.find(key.short()).filter(|one| one.id() == key) else {
        refuse(io, &[Reply::UnknownKey.byte()]).await;
        return Err(Broken::Layer(LayerReject::UnknownKey));
    };
    let ours = share()?;
    let mut welcome = [Reply::Welcome.byte(); 17];
    welcome[1..].copy_from_slice(&ours);
    io.write_all(&welcome).await?;
    let seals = Seals::new(ciphers, Side::Answers, &theirs, &ours);
    Ok(Form::Sealed(Box::new(seals)))
}

/// Says no, and reads some of what comes nevertheless: a connection that is closed with something
/// unread is torn down, and the answer with it.
async fn refuse<T: AsyncRead + AsyncWrite + Unpin>(io: &mut T, answer: &[u8]) {
    let told = async {
        io.write_all(answer).await?;
        io.shutdown().await?;
        let mut rest = io.take(SMALL_MESSAGE_BYTES as u64);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    // It is refused whether it hears of it or not.
    let _unheard = timeout(REFUSAL_TIME, told).await;
}

async fn read_plain<T: AsyncRead + Unpin>(
    io: &mut T,
    length: [u8; LENGTH_BYTES],
    large: &Arc<Semaphore>,
) -> Result<Message, Broken> {
    let length = u32::from_le_bytes(length) as usize;
    if length > MEMBERSHIP_FRAME_BYTES_MAX {
        return Err(Broken::Malformed);
    }
    let permit = match length {
        0..=SMALL_MESSAGE_BYTES => None,
        _ => Arc::clone(large).acquire_owned().await.ok(),
    };
    // Grows with what arrives: a length is easily claimed.
    let mut bytes = Vec::with_capacity(length.min(SMALL_MESSAGE_BYTES));
    io.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length {
        return Err(Broken::Unreachable);
    }
    Ok(Message {
        bytes,
        _large: permit,
    })
}

async fn read_sealed<T: AsyncRead + Unpin>(
    io: &mut T,
    seals: &mut Seals,
    large: &Arc<Semaphore>,
) -> Result<Message, Broken> {
    let (mut bytes, mut permit) = (Vec::new(), None);
    let mut sealed = Vec::new();
    loop {
        let mut header = [0; RECORD_HEADER_BYTES];
        io.read_exact(&mut header).await?;
        let (length, place) = record(header).map_err(Broken::Layer)?;
        sealed.resize(length, 0);
        io.read_exact(&mut sealed).await?;
        let body = seals.open(header, &mut sealed).map_err(Broken::Layer)?;
        if bytes.len() + body.len() > MEMBERSHIP_FRAME_BYTES_MAX {
            return Err(Broken::Malformed);
        }
        if bytes.len() + body.len() > SMALL_MESSAGE_BYTES && permit.is_none() {
            permit = Arc::clone(large).acquire_owned().await.ok();
        }
        bytes.extend_from_slice(body);
        match place {
            Place::Middle => {}
            Place::End => {
                return Ok(Message {
                    bytes,
                    _large: permit,
                });
            }
        }
    }
}

fn share() -> Result<Share, Broken> {
    let mut share = Share::default();
    match SystemEntropy::new().fill(&mut share) {
        Ok(()) => Ok(share),
        Err(NoEntropy) => Err(Broken::Unreachable),
    }
}

const LENGTH_BYTES: usize = 4;
/// How long one that is refused may take to read that.
const REFUSAL_TIME: Duration = Duration::from_secs(1);
/// Messages up to this size are read without asking: some 1,000 members.
const SMALL_MESSAGE_BYTES: usize = 64 * 1024;
/// Larger messages that are read at a time: they take at most this many times 16 MiB.
pub(crate) const LARGE_MESSAGES_MAX: usize = 4;

#[cfg(test)]
mod tests;
