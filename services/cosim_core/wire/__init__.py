"""Messages, frames and sockets: what goes between processes and how."""
