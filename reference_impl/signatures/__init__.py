"""Digital signatures in DICOM objects: PS3.15 A.2 to A.4 and Annex C, PS3.3 C.12.1.1.3."""
