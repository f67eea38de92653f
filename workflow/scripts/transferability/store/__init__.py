"""What an image store is, and how it is read: every image is compared with its digest."""
